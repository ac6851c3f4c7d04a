export default function Page() {
  return <p>guarded page</p>;
}
