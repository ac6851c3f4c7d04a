// Loaded before jco (`node --import`). jco 1.35 makes an object of a response's header fields by `Object.fromEntries`, and so
// keeps only the last of several `Set-Cookie` fields. With this the object has all of them, in a list.
const { fromEntries } = Object;

Object.fromEntries = (entries) => {
  const all = [...entries];
  const object = fromEntries(all);
  const cookies = all.filter(([name]) => name === "set-cookie").map(([, value]) => value);
  if (cookies.length > 1) object["set-cookie"] = cookies;
  return object;
};
