//! What a person typed into a form that was refused, for the form that they see next.

use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, Error};
use crate::flow::{RequestContext, RouteParams};
use crate::platform::Platform;
use crate::session::typed::{LIFETIME, Typed};
use vestibule_oidc::credentials::provider::Field;
use vestibule_oidc::http::cookie::SetCookie;

impl<P: Platform> RequestContext<'_, P> {
    /// The cookie that keeps the account's name, if the API refused a form that a browser sent. A script keeps its own form.
    pub(crate) fn kept_form(&self, params: &RouteParams, error: &Error) -> Option<SetCookie> {
        let Error::Client(ClientError::Credentials { provider, .. }) = error else { return None };
        if self.is_sent_by_script(&params.form) || self.config().pages.sign_in.is_some() {
            return None;
        }
        let Provider { id, kind: ProviderKind::Credentials(credentials), .. } = self.provider(provider)?
        else {
            return None;
        };
        let fields = credentials.fields.iter().filter(|field| Field::names_account(field));
        let values = fields.filter_map(|field| {
            let value = params.form.one(&field.name).ok().flatten()?;
            Some((field.name.as_str(), value))
        });
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let value = Typed::new(id, values)?.seal(&self.config().keys, &self.names, self.now, random);
        Some(SetCookie::new(self.names.typed(), &value).max_age(LIFETIME))
    }

    /// What was typed, if this page shows the form again.
    pub(super) fn typed(&self) -> Option<Typed> {
        let cookies = self.cookies.get_all(self.names.typed());
        Typed::open(cookies, &self.config().keys, &self.names, self.now)
    }

    /// The cookie that forgets the account's name after a sign-in, if the browser has it.
    pub(crate) fn forgotten_form(&self) -> Option<SetCookie> {
        self.cookies.get(self.names.typed()).map(|_| SetCookie::expired(self.names.typed()))
    }
}
