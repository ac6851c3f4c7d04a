//! `POST /signin/:provider`: a sign-in [begins](super::begin) on this host, or is [handed off](super::handoff) to the
//! login host.

use crate::error::{ClientError, Error};
use crate::flow::RequestContext;
use crate::flow::host_role::HostRole;
use crate::flow::signin::begin::{Intent, Wishes};
use crate::flow::signin::{persistence, switch_account};
use crate::platform::Platform;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// Begins a sign-in, or sends the browser to the login host, which begins it.
    pub(crate) async fn sign_in(
        &self,
        provider_id: Option<&str>,
        query: &Params,
        body: &Params,
    ) -> Result<Response, Error> {
        let form = self.form_context(query, Some(body))?;
        let verified = form.verify_csrf(body)?;
        match self.host_role {
            HostRole::Member(_) => return self.handoff(provider_id, query, body, form, verified),
            HostRole::Preview(login) => {
                let prompt = query.one(switch_account::PROMPT.0).map_err(ClientError::from)?;
                return Ok(self.request_preview_session(login, form, prompt.is_some()));
            }
            HostRole::Login | HostRole::Outside(_) => {}
        }
        let is_kept = persistence::chosen(body).map_err(ClientError::from)?.unwrap_or(true);
        let wishes = Wishes { is_kept, other_account: switch_account::is_asked(body) };
        self.begin_sign_in(provider_id, query, form, wishes, Intent::Form(verified)).await
    }
}
