//! `POST /signin/:provider`: the browser is sent to the provider, with a transaction that only it can
//! bring back. On a host that does not sign people in, it is sent to the one that does ([`hand_over`]).

use crate::config::ProviderKind;
use crate::error::{ClientError, Error};
use crate::flow::responses::with_cookies;
use crate::flow::signin::hand_over;
use crate::flow::standing::Standing;
use crate::flow::{Exchange, Visit, hosts, provider};
use crate::http::cookie::SetCookie;
use crate::http::form::Params;
use crate::http::response::Response;
use crate::oauth::authorize::{self, AuthorizationRequest};
use crate::platform::Platform;
use crate::session::csrf::CsrfVerified;
use crate::session::ticket::Ticket;
use crate::session::transaction::{self, Transaction};

/// What shows that the person in front of this browser wants to sign in, and no page of somebody else's.
pub(crate) enum Intent {
    /// They sent our form.
    Form(CsrfVerified),
    /// They sent it to another host of the site.
    Ticket(Ticket),
}

/// Begins a sign-in, or sends the browser to the host that does.
pub(crate) async fn sign_in<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider_id: Option<&str>,
    query: &Params,
    form: &Params,
) -> Result<Response, Error> {
    let visit = Visit::new(exchange, query, Some(form))?;
    let verified = visit.verify_csrf(form)?;
    if let Standing::SendsTo(_) = exchange.standing {
        return hand_over::send(exchange, provider_id, query, visit, verified);
    }
    begin(exchange, provider_id, query, visit, Intent::Form(verified)).await
}

/// The authorization request and the transaction's cookie. An unknown provider, none, or one that people do not go
/// to is the sign-in page.
pub(crate) async fn begin<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider_id: Option<&str>,
    query: &Params,
    visit: Visit,
    _: Intent,
) -> Result<Response, Error> {
    let provider = provider_id.and_then(|id| exchange.provider(id));
    // An API of one's own has its form on that page.
    let Some((provider, ProviderKind::OAuth(oauth))) = provider.map(|provider| (provider, &provider.kind))
    else {
        return Ok(with_cookies(Response::redirect(exchange.route("signin")), visit.cookies));
    };

    let metadata = provider::metadata(exchange, provider, oauth).await?;
    let parameters = authorize::parameters(&oauth.authorization.params, query).map_err(ClientError::from)?;
    let random = &mut |bytes: &mut [u8]| exchange.platform.fill_random(bytes);
    let max_age = authorize::max_age(&parameters);
    let transaction = Transaction::begin(&provider.id, &visit.return_to, max_age, exchange.now, random);
    let request = AuthorizationRequest {
        endpoint: metadata.authorization_endpoint(),
        client_id: &oauth.client.id,
        client_id_param: &oauth.client.id_param,
        response_type: &oauth.authorization.response_type,
        form_post: oauth.authorization.form_post,
        fragment: oauth.authorization.fragment.as_deref(),
        redirect_uri: &redirect_uri(exchange, &provider.id),
        parameters: &parameters,
        scope: oauth.scope.as_deref(),
        verifier: oauth.authorization.pkce.then_some(&transaction.verifier),
        state: &transaction.state,
        nonce: oauth.openid.as_ref().filter(|openid| openid.nonce).map(|_| &transaction.nonce),
    };

    let config = exchange.config();
    let names = &exchange.names;
    let surplus = transaction::surplus(&exchange.cookies, names);
    let sealed = transaction.seal(&config.keys, names, exchange.now, random);
    let mut begun = SetCookie::new(transaction.cookie_name(names), &sealed).max_age(transaction::LIFETIME);
    if oauth.authorization.form_post {
        // The provider's form is another site's: no other cookie comes along with it.
        begun = begun.cross_site();
    }
    let mut cookies = visit.cookies;
    for name in surplus {
        cookies.push(SetCookie::expired(name));
    }
    cookies.push(begun);
    Ok(with_cookies(Response::redirect(request.url()), cookies))
}

/// `redirect_uri`: our callback for that provider, on the host that signs people in.
pub(crate) fn redirect_uri<P: Platform>(exchange: &Exchange<'_, P>, provider_id: &str) -> String {
    hosts::login_route(exchange, &format!("callback/{provider_id}"))
}
