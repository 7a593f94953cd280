// Runs before the first paint, so that a chosen theme does not flash. A plain script: modules run later.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is switched off: the theme is the system's.
}
