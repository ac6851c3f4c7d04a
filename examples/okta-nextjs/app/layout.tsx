import Link from "next/link";
import type { ReactNode } from "react";

import { Account, Session } from "./session";
import "./style.css";

export const metadata = { title: "Next.js with Okta behind Vestibule" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <Session>
          <header>
            <strong>Example</strong>
            <nav aria-label="Pages">
              <Link href="/" prefetch={false}>Home</Link>
              <Link href="/account" prefetch={false}>Account</Link>
              <Link href="/admin" prefetch={false}>Admin</Link>
            </nav>
            <Account />
          </header>
          <main>{children}</main>
        </Session>
      </body>
    </html>
  );
}
