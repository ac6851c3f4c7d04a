export default function Page() {
  return <p>public page</p>;
}
