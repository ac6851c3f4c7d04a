import Link from "next/link";

import { Account, Session } from "./session";
import "./style.css";

export const metadata = { title: "Next.js behind Vestibule" };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <Session>
          <header>
            <strong>Example</strong>
            <nav aria-label="Pages">
              <Link href="/">Home</Link>
              <Link href="/account">Account</Link>
              <Link href="/admin">Admin</Link>
            </nav>
            <Account />
          </header>
          <main>{children}</main>
        </Session>
      </body>
    </html>
  );
}
