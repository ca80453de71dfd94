// Runs before anything is painted, so that a dark room is not lit up for a moment.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("magpie.theme");
  } catch {
    // storage may be forbidden; then the system's choice holds
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
