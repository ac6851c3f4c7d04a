//! The handoff of a sign-in to the login host: another host of the site answers the form with a redirect there and a
//! [`Ticket`], so that the user arrives at the provider without another click.

use crate::config::{ProviderKind, is_like_provider_id};
use crate::error::{ClientError, Error};
use crate::flow::hosts::with_parameters;
use crate::flow::responses::with_cookies;
use crate::flow::signin::begin::{Intent, Wishes};
use crate::flow::signin::persistence;
use crate::flow::{FormContext, RequestContext};
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::session::csrf::CsrfVerified;
use crate::session::ticket::{self, Ticket};
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::oauth::authorize;

impl<P: Platform> RequestContext<'_, P> {
    /// `POST /signin/:provider` on another host than the login host: redirects to the login host, with a ticket.
    pub(crate) fn handoff(
        &self,
        provider_id: Option<&str>,
        query: &Params,
        body: &Params,
        form: FormContext,
        _: CsrfVerified,
    ) -> Result<Response, Error> {
        form.refuse_long_address()?;
        let return_to = form.return_to.as_str();
        let Some(id) = provider_id.filter(|id| self.redirects_to_provider(id)) else {
            let page = self.sign_in_page(return_to);
            return Ok(with_cookies(Response::redirect(page), form.cookies));
        };
        // The login host would reject such parameters too. Here the error is shown on the host that the user is on.
        let parameters = authorize::parameters(&[], query).map_err(ClientError::from)?;
        let mut all = vec![("callbackUrl", return_to)];
        all.extend(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        // Whether the person has this choice is for the login host to say.
        if let Some(is_kept) = persistence::chosen(body).map_err(ClientError::from)? {
            all.push((persistence::PERSISTENT, if is_kept { "true" } else { "false" }));
        }
        let address = with_parameters(&self.login_route(&format!("signin/{id}")), &all);

        let config = self.config();
        let random = &mut |bytes: &mut [u8]| self.platform.fill_random(bytes);
        let sealed = Ticket::seal(&address, &config.keys, &self.names, self.now, random);
        let cookie = SetCookie::new(self.names.ticket(), &sealed)
            .domain(self.cookie_domain())
            .max_age(ticket::LIFETIME);
        Ok(with_cookies(with_cookies(Response::redirect(address), form.cookies), vec![cookie]))
    }

    /// `GET /signin/:provider` on the login host: begins the sign-in for which the ticket was sealed. Without a valid
    /// ticket it shows the sign-in page.
    pub(crate) async fn receive_sign_in(&self, provider_id: &str, query: &Params) -> Result<Response, Error> {
        let config = self.config();
        let names = &self.names;
        let form = self.form_context(query, None)?;
        // The ticket is bound to the address. A proxy may change its encoding (`%7E` to `~`), so it is encoded again.
        let parameters: Vec<(&str, &str)> = query.iter().collect();
        let address = with_parameters(&self.login_route(&format!("signin/{provider_id}")), &parameters);
        let ticket =
            Ticket::open(self.cookies.get_all(names.ticket()), &address, &config.keys, names, self.now);
        let used = self.cookies.get(names.ticket());
        let used = used.map(|_| SetCookie::expired(names.ticket()).domain(self.cookie_domain()));
        let response = match ticket {
            Ok(ticket) => {
                let is_kept = persistence::chosen(query).map_err(ClientError::from)?.unwrap_or(true);
                let wishes = Wishes { is_kept, other_account: false };
                self.begin_sign_in(Some(provider_id), query, form, wishes, Intent::Ticket(ticket)).await?
            }
            Err(error) => {
                self.log(Record::new(LogEvent::SignInHandoffFailed, error));
                let page = self.sign_in_page(form.return_to.as_str());
                with_cookies(Response::redirect(page), form.cookies)
            }
        };
        Ok(with_cookies(response, used.into_iter().collect()))
    }

    /// Whether a sign-in with this provider redirects to it, and shows no form here. If this deployment configures no
    /// providers, any well-formed id is accepted, and the login host decides.
    fn redirects_to_provider(&self, id: &str) -> bool {
        if let Some(provider) = self.provider(id) {
            return !matches!(provider.kind, ProviderKind::Credentials(_));
        }
        self.config().providers.is_empty() && is_like_provider_id(id)
    }
}
