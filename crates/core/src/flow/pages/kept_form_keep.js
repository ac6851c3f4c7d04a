{
  const name = "vestibule.form";
  const kept = document.getElementById("kept");
  try {
    sessionStorage.setItem(name, kept.dataset.form);
    setTimeout(() => sessionStorage.removeItem(name), 15 * 60 * 1000);
    kept.hidden = false;
    document.getElementById("sign-in").href = kept.dataset.then;
  } catch {}
}
