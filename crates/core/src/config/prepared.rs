//! A configuration that is checked before its secrets are there.

use std::cell::RefCell;
use std::mem::ManuallyDrop;

use serde_json::{Map, Value};

use super::check;
use super::error::ConfigErrors;
use super::place::{Env, Loading, Place};
use super::runtime::Runtime;
use super::table::Table;
use super::{Config, SiteConfig, object, schema};

/// A configuration that is read and checked, but for the site's secrets and the clients of its providers. It has no secret, so
/// it can be made where there is none, and be stored.
///
/// It is as if no variable were set that the checks looked for: [`is_for`](Self::is_for) says whether that is so.
#[derive(Debug)]
pub struct Prepared {
    /// What the secrets are read by. It is never dropped: an instance of one request would have nothing of that but the work.
    auth: ManuallyDrop<Map<String, Value>>,
    checked: SiteConfig,
    runtime: &'static Runtime,
    /// The variables that were looked for, and change what was checked if one is set.
    unset: Vec<String>,
}

impl Prepared {
    /// Checks a configuration as [`Config::load`] does, which accepts the same `auth`.
    ///
    /// # Errors
    /// All mistakes that were found, of which some may be none where a variable is set.
    pub fn new(auth: Value, runtime: &'static Runtime) -> Result<Self, ConfigErrors> {
        let unset = RefCell::new(Vec::new());
        let env = |name: &str| {
            let mut unset = unset.borrow_mut();
            if !unset.iter().any(|known| known == name) {
                unset.push(name.to_owned());
            }
            None
        };
        let loading = Loading { leaves_clients: true, ..Loading::new(&env, runtime) };
        let made = object(auth, &Place::root(&loading)).map(|mut auth| {
            check::with_preset_defaults(&mut auth, &env);
            schema::read(&mut auth, schema::AUTH, &Place::root(&loading));
            let checked = check::without_secrets(&Table::new(Some(&auth), Place::root(&loading)));
            (auth, checked)
        });
        let (auth, checked) = loading.problems.unless_any(made)?;
        Ok(Self { auth: ManuallyDrop::new(auth), checked, runtime, unset: unset.into_inner() })
    }

    /// Whether it is what [`Config::load`] would make with these variables, once it has the secrets.
    pub fn is_for(&self, env: Env<'_>) -> bool {
        self.unset.iter().all(|name| check::secrets::variable(env, name).is_none())
    }

    /// Adds the secrets.
    ///
    /// # Errors
    /// All mistakes in them.
    pub fn with_secrets(self, env: Env<'_>) -> Result<Config, ConfigErrors> {
        let Self { auth, mut checked, runtime, .. } = self;
        let loading = Loading::new(env, runtime);
        let auth = Table::new(Some(&auth), Place::root(&loading));
        check::set_clients(&auth, &mut checked);
        let config = check::with_secrets(&auth, checked);
        loading.problems.unless_any(config)
    }
}
