// Between a page and its kernel: messages that would be lost, and what is said when no answer comes.

const noAnswer = (what) => `The kernel has not answered yet. If another cell is running, ${what} follows; after a restart, run this cell again.`;

// anywidget gives a page two seconds to load a widget's script. If the page was busy for longer, the widget is shown, but
// every message of the kernel to it is thrown away, also those that came meanwhile: it would stay empty or stand still.
// Then its messages go past anywidget, and the kernel is asked for what was missed.
async function listen(model, id) {
  const own = await Promise.resolve().then(() => model.widget_manager.get_model(id)).catch(() => null);
  if (!own?._handle_comm_msg || !own.comm) return;  // not in Jupyter: a page without a kernel, or another program's widgets
  try {
    await own._handle_comm_msg({ content: { data: { method: "none" } } });
  } catch {
    let holder = own;
    while (!Object.hasOwn(holder, "_handle_comm_msg")) holder = Object.getPrototypeOf(holder);
    const handle = Object.getPrototypeOf(holder)._handle_comm_msg;  // what anywidget's own would have called
    own.comm.on_msg((message) => handle.call(own, message));
    own.comm.send({ method: "request_state" });
  }
}
