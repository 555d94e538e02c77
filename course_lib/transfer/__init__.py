"""What the notebook on transfer learning imports."""
