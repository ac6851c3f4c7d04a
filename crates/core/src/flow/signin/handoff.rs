//! A sign-in that is asked for on one host and begins on the login host: the form's answer leads there with a
//! [`Ticket`], so that a person arrives at the provider without another click.

use crate::config::{ProviderKind, is_like_provider_id};
use crate::error::{ClientError, Error};
use crate::flow::hosts::with_parameters;
use crate::flow::responses::with_cookies;
use crate::flow::signin::begin::Intent;
use crate::flow::{FormContext, RequestContext};
use crate::platform::{Level, Platform};
use crate::session::csrf::CsrfVerified;
use crate::session::ticket::{self, Ticket};
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::oauth::authorize;

impl<P: Platform> RequestContext<'_, P> {
    /// `POST /signin/:provider` on a host that is not the login host: on to that one.
    pub(crate) fn handoff(
        &self,
        provider_id: Option<&str>,
        query: &Params,
        form: FormContext,
        _: CsrfVerified,
    ) -> Result<Response, Error> {
        let return_to = form.return_to.as_str();
        let Some(id) = provider_id.filter(|id| self.leads_to_a_provider(id)) else {
            let page = self.sign_in_page(return_to);
            return Ok(with_cookies(Response::redirect(page), form.cookies));
        };
        // What the login host would refuse is refused where it was asked for.
        let parameters = authorize::parameters(&[], query).map_err(ClientError::from)?;
        let mut all = vec![("callbackUrl", return_to)];
        all.extend(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let address = with_parameters(&self.login_route(&format!("signin/{id}")), &all);

        let config = self.config();
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let sealed = Ticket::seal(&address, &config.keys, &self.names, self.now, random);
        let cookie = SetCookie::new(self.names.ticket(), &sealed)
            .domain(self.cookie_domain())
            .max_age(ticket::LIFETIME);
        Ok(with_cookies(with_cookies(Response::redirect(address), form.cookies), vec![cookie]))
    }

    /// `GET /signin/:provider` on the login host: begins the sign-in that the ticket stands for. Without a good one
    /// nothing begins, and the person is asked on the sign-in page.
    pub(crate) async fn receive_sign_in(&self, provider_id: &str, query: &Params) -> Result<Response, Error> {
        let config = self.config();
        let names = &self.names;
        let form = self.form_context(query, None)?;
        // Written anew, for an edge on the way may write `%7E` as `~`: what it says is what counts.
        let said: Vec<(&str, &str)> = query.iter().collect();
        let address = with_parameters(&self.login_route(&format!("signin/{provider_id}")), &said);
        let ticket =
            Ticket::open(self.cookies.get_all(names.ticket()), &address, &config.keys, names, self.now);
        let used = self.cookies.get(names.ticket());
        let used = used.map(|_| SetCookie::expired(names.ticket()).domain(self.cookie_domain()));
        let response = match ticket {
            Ok(ticket) => self.begin_sign_in(Some(provider_id), query, form, Intent::Ticket(ticket)).await?,
            Err(error) => {
                self.log(Level::Info, "sign_in_not_handed_over", &error.to_string());
                let page = self.sign_in_page(form.return_to.as_str());
                with_cookies(Response::redirect(page), form.cookies)
            }
        };
        Ok(with_cookies(response, used.into_iter().collect()))
    }

    /// Whether people are sent to that provider: it has no form of its own. A deployment that knows of no provider leaves
    /// it to the login host to know.
    fn leads_to_a_provider(&self, id: &str) -> bool {
        if let Some(provider) = self.provider(id) {
            return !matches!(provider.kind, ProviderKind::Credentials(_));
        }
        self.config().providers.is_empty() && is_like_provider_id(id)
    }
}
