//! The end of sessions: begun here, or told by the provider.

use crate::scenarios::logout;
use crate::table::plan;

pub mod rp_initiated {
    use super::{logout, plan};

    plan! {
        "oidcc-client-rp-initiated-logout-rp-basic", "";
        tested {
            oidcc_client_test_rp_init_logout "oidcc-client-test-rp-init-logout":
                "wants `client_id`, an `id_token_hint` and the one address that is registered, and sends the browser back with `state`" =>
                "ends the session, sends the browser there, and then where it was going",
                logout::rp_init_logout;
            oidcc_client_test_rp_init_logout_other_state "oidcc-client-test-rp-init-logout-other-state":
                "sends the browser back with another `state`" => "notices it, and goes to the start page",
                logout::rp_init_logout_other_state;
            oidcc_client_test_rp_init_logout_no_state "oidcc-client-test-rp-init-logout-no-state":
                "sends the browser back without `state`" => "notices it, and goes to the start page",
                logout::rp_init_logout_no_state;
        }
        untested {}
    }
}

pub mod back_channel {
    use super::plan;
    use crate::scenarios::channels;

    plan! {
        "oidcc-client-back-channel-logout-rp-basic", "";
        tested {
            oidcc_client_test_rp_backchannel_rpinitlogout "oidcc-client-test-rp-backchannel-rpinitlogout":
                "sends a logout token before it sends the browser back" =>
                "answers 200 with `Cache-Control: no-store`; the sessions in other browsers have ended, those of other users have not",
                channels::backchannel_logout;
            oidcc_client_test_rp_backchannel_rpinitlogout_alg_none
                "oidcc-client-test-rp-backchannel-rpinitlogout-alg-none":
                "a logout token that is not signed (`none`)" => "answers 400, and ends nothing",
                channels::alg_none;
            oidcc_client_test_rp_backchannel_rpinitlogout_no_event
                "oidcc-client-test-rp-backchannel-rpinitlogout-no-event":
                "a logout token without `events`" => "answers 400, and ends nothing",
                channels::no_event;
            oidcc_client_test_rp_backchannel_rpinitlogout_with_nonce
                "oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce":
                "a logout token with a `nonce`" => "answers 400, and ends nothing",
                channels::with_nonce;
            oidcc_client_test_rp_backchannel_rpinitlogout_wrong_alg
                "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-alg":
                "a logout token signed with HS256, by the client secret" => "answers 400, and ends nothing",
                channels::wrong_alg;
            oidcc_client_test_rp_backchannel_rpinitlogout_wrong_aud
                "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud":
                "a logout token for another client" => "answers 400, and ends nothing",
                channels::wrong_aud;
            oidcc_client_test_rp_backchannel_rpinitlogout_wrong_event
                "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event":
                "a logout token with another event, or one that is no object" => "answers 400, and ends nothing",
                channels::wrong_event;
            oidcc_client_test_rp_backchannel_rpinitlogout_wrong_iss
                "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss":
                "a logout token of another `iss`" => "answers 400, and ends nothing",
                channels::wrong_iss;
        }
        untested {}
    }
}

pub mod back_channel_more {
    use super::plan;
    use crate::scenarios::channels;

    plan! {
        "OpenID Connect Back-Channel Logout 1.0", "what the suite does not ask, sections 2.4 to 2.7";
        tested {
            backchannel_by_sub_alone "backchannel-by-sub-alone":
                "a logout token without `sid`" => "ends all sessions of that user, and no other's",
                channels::by_sub_alone;
            backchannel_by_sid_alone "backchannel-by-sid-alone":
                "a logout token without `sub`" => "ends the sessions of that session at the provider",
                channels::by_sid_alone;
            backchannel_neither_sub_nor_sid "backchannel-neither-sub-nor-sid":
                "a logout token without both" => "answers 400, and ends nothing",
                channels::neither_sub_nor_sid;
            backchannel_stale "backchannel-stale":
                "a logout token of two hours ago, expired or not" => "answers 400, and ends nothing",
                channels::stale;
            backchannel_replayed "backchannel-replayed":
                "the same logout token again, after a new sign-in" => "answers 200; the new session goes on",
                channels::replayed;
            backchannel_before_the_cookie "backchannel-before-the-cookie":
                "a logout token that arrives before the browser has its session" => "the session has ended all the same",
                channels::before_the_cookie;
        }
        untested {}
    }
}

pub mod front_channel {
    use super::plan;
    use crate::scenarios::channels;

    plan! {
        "oidcc-client-front-channel-logout-rp-basic", "with a module of oidcc-client-logout-test-plan";
        tested {
            oidcc_client_test_rp_frontchannel_rpinitlogout "oidcc-client-test-rp-frontchannel-rpinitlogout":
                "shows a page with a frame of the Worker before it sends the browser back" =>
                "ends the sessions by `iss` and `sid`, without a cookie; those of other users go on",
                channels::frontchannel_by_us;
            oidcc_client_test_rp_frontchannel_opinitlogout "oidcc-client-test-rp-frontchannel-opinitlogout":
                "shows that page by itself; another `iss`, none, or no `sid`; no frame" =>
                "ends the sessions, with `frame-ancestors` the issuer; the others get 400 and end nothing",
                channels::frontchannel_by_provider;
        }
        untested {
            "oidcc-client-test-session-management":
                Outside("a frame of the provider that reads its cookie in another site, which browsers no longer send; the plan oidcc-client-rp-session-management-rp-basic has this module only"),
        }
    }
}
