export function loader() {
  return { text: "guarded page" };
}

export function action() {
  return { text: "guarded page" };
}

export default function Page({ loaderData }) {
  return <p>{loaderData.text}</p>;
}
