//! `POST /signin/:provider`: a sign-in [begins](super::begin) on this host, or is [handed off](super::handoff) to the
//! login host.

use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::host_role::HostRole;
use crate::flow::signin::begin::Intent;
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
        if let HostRole::Member(_) = self.host_role {
            return self.handoff(provider_id, query, form, verified);
        }
        self.begin_sign_in(provider_id, query, form, Intent::Form(verified)).await
    }
}
