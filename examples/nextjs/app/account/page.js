import { auth } from "@/auth";
import { Token } from "./token";

// No check is needed here: Vestibule forwards only requests of signed-in users.
export default async function AccountPage() {
  const { user } = await auth();
  return (
    <>
      <h1>Account</h1>
      <dl className="card" id="server">
        <dt>Name</dt>
        <dd>{user.name}</dd>
        <dt>Email</dt>
        <dd>{user.email}</dd>
        <dt>Roles</dt>
        <dd>{user.roles.join(", ")}</dd>
      </dl>
      <Token />
    </>
  );
}
