export default function Admin() {
  return (
    <>
      <h1>Admin</h1>
      <p>Only people whose roles contain “admin” get here.</p>
    </>
  );
}
