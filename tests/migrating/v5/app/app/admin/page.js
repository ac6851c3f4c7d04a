export const dynamic = "force-dynamic";

export default function Page() {
  return <h1>Admin</h1>;
}
