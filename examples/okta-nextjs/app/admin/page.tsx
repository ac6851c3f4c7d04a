export default function Admin() {
  return (
    <>
      <h1>Admin</h1>
      <p>Only people whose session says isAdmin get here.</p>
    </>
  );
}
