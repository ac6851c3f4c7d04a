export interface User {
  id: string;
  name: string;
  email: string;
  password: string;
  plan: string;
  isAdmin: boolean;
}

/** The users of this example, in place of a database. */
export const USERS: readonly User[] = [
  { id: "u1", name: "Alice Example", email: "alice@example.com", password: "alice", plan: "pro", isAdmin: true },
  { id: "u2", name: "Bob Example", email: "bob@example.com", password: "bob", plan: "free", isAdmin: false },
];
