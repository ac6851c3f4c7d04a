//! `POST /signin/:provider`: a sign-in [begins](super::begin) here, or is [handed over](super::hand_over) to the host
//! that signs people in.

use crate::error::Error;
use crate::flow::Exchange;
use crate::flow::signin::begin::Intent;
use crate::flow::standing::Standing;
use crate::platform::Platform;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;

impl<P: Platform> Exchange<'_, P> {
    /// Begins a sign-in, or sends the browser to the host that does.
    pub(crate) async fn sign_in(
        &self,
        provider_id: Option<&str>,
        query: &Params,
        form: &Params,
    ) -> Result<Response, Error> {
        let visit = self.visit(query, Some(form))?;
        let verified = visit.verify_csrf(form)?;
        if let Standing::SendsTo(_) = self.standing {
            return self.hand_over(provider_id, query, visit, verified);
        }
        self.begin_sign_in(provider_id, query, visit, Intent::Form(verified)).await
    }
}
