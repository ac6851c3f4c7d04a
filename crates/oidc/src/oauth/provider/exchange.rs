//! How a provider exchanges tokens ([`token_exchange`](crate::oauth::token_exchange)).

/// In which words a provider is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExchangeDialect {
    /// Those of RFC 8693.
    #[default]
    TokenExchange,
    /// Those of Microsoft's on-behalf-of flow: the grant of RFC 7523 with `requested_token_use`, and only scopes.
    OnBehalfOf,
}
