import { auth } from "@/auth";

export default async function Home() {
  const session = await auth();
  return (
    <>
      <h1>Home</h1>
      <p className="card" id="server">
        {session ? `The server knows you as ${session.user.name}.` : "The server does not know who you are."}
      </p>
    </>
  );
}
