//! What happens to a browser's cookies between two requests of a story.

use vestibule_core::session::chunk;

use crate::site::Site;

/// A cookie by what it is for: the two sides name some of them differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Session,
    Csrf,
    ReturnAddress,
    /// What an attempt to sign in keeps: one cookie of Vestibule's, and three of Auth.js's.
    Attempt,
}

impl Role {
    /// The role of the cookie of this name; `None` if it has none.
    pub fn of(site: Site, name: &str) -> Option<Self> {
        let names = site.names();
        let checks = ["state", "pkce.code_verifier", "nonce"];
        let prefix = names.csrf().trim_start_matches("__Host-").trim_end_matches("csrf-token");
        let plain = name.trim_start_matches("__Secure-").trim_start_matches("__Host-");
        let check = plain.strip_prefix(prefix);
        if chunk::is_of_session(name, names.session()) {
            Some(Self::Session)
        } else if name == names.csrf() {
            Some(Self::Csrf)
        } else if name == names.callback_url() {
            Some(Self::ReturnAddress)
        } else if name.starts_with(names.transaction_prefix())
            || check.is_some_and(|check| checks.contains(&check))
        {
            Some(Self::Attempt)
        } else {
            None
        }
    }
}

/// A change of every cookie of one role.
#[derive(Clone, Copy, Debug)]
pub struct Tampering {
    pub role: Role,
    pub how: How,
}

#[derive(Clone, Copy, Debug)]
pub enum How {
    /// It is lost.
    Lose,
    /// Its second half is lost.
    Halve,
    /// A character in its middle is another one.
    Alter,
    /// It is empty.
    Empty,
    /// It is in quotes.
    Quote,
    /// Another one of the same name comes before it.
    Precede,
    /// Another one of the same name comes after it.
    Follow,
    /// It comes twice.
    Repeat,
    /// Its name is without `__Secure-` and `__Host-`, or has one more.
    Rename,
    /// Its name is in capitals.
    Shout,
    /// Its value is percent-encoded once more.
    Encode,
    /// The value of the session and that of the CSRF cookie change places.
    Swap,
    /// The order of all cookies is reversed.
    Reverse,
}

impl How {
    pub const ALL: &[Self] = &[
        Self::Lose,
        Self::Halve,
        Self::Alter,
        Self::Empty,
        Self::Quote,
        Self::Precede,
        Self::Follow,
        Self::Repeat,
        Self::Rename,
        Self::Shout,
        Self::Encode,
        Self::Swap,
        Self::Reverse,
    ];
}

impl Tampering {
    pub fn apply(self, site: Site, cookies: &mut Vec<(String, String)>) {
        match self.how {
            How::Swap => return swap(site, cookies),
            How::Reverse => return cookies.reverse(),
            _ => {}
        }
        let mut changed = Vec::new();
        for (name, value) in cookies.drain(..) {
            if Role::of(site, &name) == Some(self.role) {
                self.change(name, value, &mut changed);
            } else {
                changed.push((name, value));
            }
        }
        *cookies = changed;
    }

    fn change(self, name: String, value: String, into: &mut Vec<(String, String)>) {
        let junk = || (name.clone(), "junk".to_owned());
        match self.how {
            How::Lose | How::Swap | How::Reverse => {}
            How::Halve => into.push((name, value.chars().take(value.chars().count() / 2).collect())),
            How::Alter => {
                let middle = value.chars().count() / 2;
                let altered = |(at, c): (usize, char)| match c {
                    'a' if at == middle => 'b',
                    _ if at == middle => 'a',
                    c => c,
                };
                into.push((name, value.chars().enumerate().map(altered).collect()));
            }
            How::Empty => into.push((name, String::new())),
            How::Quote => into.push((name, format!("\"{value}\""))),
            How::Precede => into.extend([junk(), (name, value)]),
            How::Follow => {
                let junk = junk();
                into.extend([(name, value), junk]);
            }
            How::Repeat => into.extend([(name.clone(), value.clone()), (name, value)]),
            How::Rename => {
                let plain = name.trim_start_matches("__Secure-").trim_start_matches("__Host-");
                let renamed = if plain == name { format!("__Secure-{name}") } else { plain.to_owned() };
                into.push((renamed, value));
            }
            How::Shout => into.push((name.to_ascii_uppercase(), value)),
            How::Encode => into.push((name, value.replace('%', "%25").replace('.', "%2E"))),
        }
    }
}

/// Exchanges the value of the first cookie of the session with that of the CSRF cookie.
fn swap(site: Site, cookies: &mut [(String, String)]) {
    let of = |role| cookies.iter().position(|(name, _)| Role::of(site, name) == Some(role));
    let (Some(session), Some(csrf)) = (of(Role::Session), of(Role::Csrf)) else { return };
    let value = std::mem::take(&mut cookies[session].1);
    cookies[session].1 = std::mem::replace(&mut cookies[csrf].1, value);
}
