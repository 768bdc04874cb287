// The theme: the chosen one, or the system's. Runs before the first paint, so that nothing flashes.
{
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let chosen;
    try {
      chosen = localStorage.getItem("magic.theme");
    } catch {
      // Without storage the system's theme is used.
    }
    document.documentElement.dataset.theme = chosen ?? (system.matches ? "dark" : "light");
    document.dispatchEvent(new Event("themechange"));
  };
  system.addEventListener("change", apply);
  apply();
}
