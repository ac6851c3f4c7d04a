import { auth } from "@/auth";

import { Orders } from "./orders";

export default async function AccountPage() {
  // Vestibule forwards only requests of signed-in users.
  const user = (await auth())?.user;
  return (
    <>
      <h1>Account</h1>
      <p className="card" id="server">{`${user?.id} ${user?.email} ${user?.groups.join(" ")} ${user?.isAdmin}`}</p>
      <Orders />
    </>
  );
}
