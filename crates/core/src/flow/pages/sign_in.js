{
  const fragment = location.hash;
  if (fragment.length > 1 && fragment !== "#_=_") {
    for (const field of document.querySelectorAll("input[name=callbackUrl]")) {
      if (!field.value.includes("#") && field.value.length + fragment.length <= 4096) field.value += fragment;
    }
  }
}
