//! Security events.

use crate::scenarios::shared_signals;
use crate::table::plan;

plan! {
    "openid-ssf-receiver-test-plan", "delivery by push; the transmitter has an issuer and keys of its own";
    tested {
        openid_ssf_receiver_stream_verification "openid-ssf-receiver-stream-verification":
            "a verification event with the `state` that was asked for" => "acknowledges it with 202, and logs the `state`",
            shared_signals::verification;
        openid_ssf_receiver_unsolicited_stream_verification "openid-ssf-receiver-unsolicited-stream-verification":
            "a verification event without `state`" => "acknowledges it with 202",
            shared_signals::unsolicited_verification;
        openid_ssf_receiver_stream_supported_events "openid-ssf-receiver-stream-supported-events":
            "`session-revoked` and `credential-change` (CAEP) about a user; the same again later" =>
            "acknowledges them with 202, and ends that user's sessions; later ones go on",
            shared_signals::supported_events;
        openid_ssf_receiver_stream_caep_interop "openid-ssf-receiver-stream-caep-interop":
            "`session-revoked` about one session; other events" =>
            "acknowledges all with 202; the session ends, the others change nothing",
            shared_signals::caep_interop;
        rfc8935_flawed_events "rfc8935-flawed-events":
            "events of another issuer, for another audience, with `exp`, without `jti`, `sub_id` or event, with a foreign signature or none; a logout token" =>
            "answers 400 with the code of RFC 8935, and ends nothing",
            shared_signals::flawed;
    }
    untested {
        "openid-ssf-receiver-happypath":
            Outside("an operator creates the stream at the transmitter, once; a Worker that manages streams by itself would need a token for that in each isolate"),
        "openid-ssf-receiver-stream-create-delete": Outside("as above: streams are an operator's"),
        "openid-ssf-receiver-stream-status-update": Outside("as above: streams are an operator's"),
    }
}
