// Before anything is shown: the colours that were chosen here, so that nothing flashes.
try {
  const kept = localStorage.getItem("theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
} catch { /* no storage: the system's colours it is */ }
