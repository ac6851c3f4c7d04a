//! The plans, each in a file with the plan's modules. What the modules do is in `scenarios/`.

use crate::table::Plan;

mod all;
mod basic;
mod config;
mod fapi2;
mod initiated;
mod logout;
mod outside;
mod refresh_token;
mod rfc10017;
mod shared_signals;

/// All plans, in the order of the document.
pub const PLANS: &[Plan] = &[
    basic::query::PLAN,
    basic::form_post::PLAN,
    all::PLAN,
    config::PLAN,
    config::dynamic::PLAN,
    refresh_token::PLAN,
    initiated::PLAN,
    logout::rp_initiated::PLAN,
    logout::back_channel::PLAN,
    logout::back_channel_more::PLAN,
    logout::front_channel::PLAN,
    shared_signals::PLAN,
    fapi2::security_profile::PLAN,
    fapi2::message_signing::PLAN,
    outside::HYBRID,
    outside::IMPLICIT,
    rfc10017::PLAN,
];
