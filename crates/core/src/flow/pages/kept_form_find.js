{
  const name = "vestibule.form";
  let kept = null;
  try {
    kept = sessionStorage.getItem(name);
    sessionStorage.removeItem(name);
  } catch {}
  if (kept) {
    const { to, field } = document.getElementById("kept").dataset;
    const form = document.createElement("form");
    const input = document.createElement("input");
    form.method = "post";
    form.action = to;
    input.type = "hidden";
    input.name = field;
    input.value = kept;
    form.append(input);
    document.body.append(form);
    form.submit();
  }
}
