// Points and comments are saved when a field is left, one request at a time for each answer.
const main = document.querySelector("main");
const { api, max } = main.dataset;
const answers = [...document.querySelectorAll(".answer")];

const token = () => decodeURIComponent(document.cookie.match(/(?:^|;\s*)_xsrf=([^;]*)/)?.[1] ?? "");

class Answer {
  constructor(element) {
    this.element = element;
    this.points = element.querySelector(".points");
    this.comment = element.querySelector(".comment");
    this.reuse = element.querySelector(".reuse");
    this.state = element.querySelector(".state");
    this.seen = { score: element.dataset.score === "" ? null : Number(element.dataset.score), comment: this.comment.value };
    this.saved = this.typed();
    this.open = "waits" in element.dataset;
    this.turn = Promise.resolve(true);
    this.busy = false;
    this.points.addEventListener("change", () => this.save());
    this.comment.addEventListener("change", () => this.save());
    this.comment.addEventListener("input", () => this.fit());
    this.points.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.save(this.open && this.seen.score !== null).then((good) => good && next(this));
    });
    this.reuse.addEventListener("change", () => {
      if (this.reuse.value) this.comment.value = [this.comment.value.trim(), this.reuse.value].filter(Boolean).join("\n");
      this.reuse.value = "";
      this.fit();
      this.save();
    });
    this.fit();
  }

  typed() { return JSON.stringify([this.points.value.trim(), this.comment.value.trim()]); }

  fit() { this.comment.style.height = "auto"; this.comment.style.height = `${this.comment.scrollHeight + 2}px`; }

  say(kind, text) { this.state.className = `state ${kind}`; this.state.textContent = text; }

  // One after the other: two at the same time would take each other for somebody else's.
  save(again = false) {
    this.turn = this.turn.then(() => this.saveNow(again));
    return this.turn;
  }

  // Points that stand there and wait for a second look are kept by saving them again.
  async saveNow(again) {
    const typed = this.typed();
    if (typed === this.saved && !again) return true;
    this.busy = true;
    const good = await this.send(typed);
    this.busy = false;
    return good;
  }

  async send(typed) {
    const body = { points: this.points.value, comment: this.comment.value, seen: this.seen };
    let response, content;
    try {
      const headers = { "Content-Type": "application/json", "X-XSRFToken": token() };
      response = await fetch(api + this.element.dataset.grade, { method: "PUT", headers, body: JSON.stringify(body) });
      content = await response.json();
    } catch {
      this.say("bad", "Not saved: the server does not answer. Leave the field again to try once more.");
      return false;
    }
    if (response.ok) {
      this.saved = typed;
      this.seen = { score: content.score, comment: content.comment };
      this.points.setAttribute("aria-invalid", "false");
      if (content.score !== null) this.element.classList.remove("empty");
      this.open = content.score === null && !this.element.classList.contains("empty");
      this.say("good", content.score === null ? "Saved: no points yet" : `Saved: ${content.score} of ${Number(max)}`);
      remember(content.comment);
      count();
      return true;
    }
    if (response.status === 409) {
      const theirs = content.score === null ? "no points" : `${content.score} of ${Number(max)}`;
      const words = content.comment ? `, “${content.comment}”` : "";
      this.seen = { score: content.score, comment: content.comment };
      this.say("bad", `Not saved. Somebody else graded this answer in the meantime: ${theirs}${words}. `);
      this.offer("Take theirs", () => { this.points.value = content.score ?? ""; this.comment.value = content.comment; this.saved = this.typed(); this.open = content.score === null; this.fit(); this.say("good", "Theirs is kept"); count(); });
      this.offer("Save mine", () => { this.saved = ""; this.save(); });
      return false;
    }
    this.points.setAttribute("aria-invalid", String(response.status === 422));
    this.say("bad", `Not saved: ${content.problem ?? content.message ?? response.status}`);
    return false;
  }

  offer(text, action) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", action);
    this.state.append(button, " ");
  }
}

const all = answers.map((element) => new Answer(element));

function next(from) {
  const at = all.indexOf(from);
  const order = [...all.slice(at + 1), ...all.slice(0, at)];
  const target = order.find((answer) => answer.open) ?? all[at + 1];
  if (!target) return;
  target.element.scrollIntoView({ block: "center" });
  target.points.focus({ preventScroll: true });
  target.points.select();
}

function count() {
  const left = all.filter((answer) => answer.open).length;
  document.querySelector("#left").textContent = left ? `${left} of ${all.length} wait${left === 1 ? "s" : ""}` : `all ${all.length} done`;
}

function remember(comment) {
  if (!comment) return;
  for (const { reuse } of all) {
    if (![...reuse.options].some((option) => option.text === comment)) reuse.add(new Option(comment, comment), 1);
  }
}

addEventListener("beforeunload", (event) => {
  if (all.some((answer) => answer.busy || answer.typed() !== answer.saved)) event.preventDefault();
});
