//! What the pages say, by key and language.
//!
//! Each language is a file of constants, `languages/de.rs` for example: nothing is parsed and nothing is copied, neither at
//! start nor for a page. A language that lacks a text does not compile. The configuration can replace each text, and add
//! languages ([`offered`]).

pub mod fill;
pub mod languages;
pub mod offered;
pub mod preferred;

/// Makes the list of texts: the enumeration of the keys, and the struct with the texts of one language.
macro_rules! texts {
    ($($(#[doc = $about:literal])+ $key:ident = $variant:ident $(with $placeholder:literal)?;)+) => {
        /// A text of a page.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Text { $($(#[doc = $about])+ $variant,)+ }

        /// All texts in one language.
        #[derive(Debug)]
        pub struct Texts { $($(#[doc = $about])+ pub $key: &'static str,)+ }

        impl Text {
            /// Every text, in the order of the pages.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its key in the configuration.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$variant => stringify!($key),)+ }
            }

            /// The name that it has in braces, which the page replaces.
            pub const fn placeholder(self) -> Option<&'static str> {
                match self { $(Self::$variant => texts!(@ $($placeholder)?),)+ }
            }

            /// What it says in a language.
            pub const fn of(self, texts: &Texts) -> &'static str {
                match self { $(Self::$variant => texts.$key,)+ }
            }
        }
    };
    (@) => { None };
    (@ $placeholder:literal) => { Some($placeholder) };
}

texts! {
    /// The heading of the sign-in page.
    sign_in_title = SignInTitle;
    /// Below it, if the person goes on to another host.
    continue_to = ContinueTo with "host";
    /// The button of the only form, and links to the sign-in page.
    sign_in = SignIn;
    /// The button of a provider.
    sign_in_with = SignInWith with "provider";
    /// Between two ways to sign in.
    or = Or;
    /// Behind the label of a field that may stay empty.
    optional = Optional;
    /// The label of a field for an e-mail address.
    email_field = EmailField;
    /// The label of a field for a user name.
    username_field = UsernameField;
    /// The label of a field for a password.
    password_field = PasswordField;
    /// The label of a field for a one-time code.
    code_field = CodeField;
    /// The checkbox that keeps the session when the browser closes.
    keep_signed_in = KeepSignedIn;
    /// The link `forgot_password`.
    forgot_password = ForgotPassword;
    /// The link `sign_up`.
    sign_up = SignUp;
    /// The link `privacy`.
    privacy = Privacy;
    /// The link `support`.
    support = Support;

    /// The sign-in was cancelled or refused at the provider.
    sign_in_refused = SignInRefused;
    /// The e-mail address belongs to another way to sign in.
    account_not_linked = AccountNotLinked;
    /// Not everyone may sign in.
    sign_in_denied = SignInDenied;
    /// The page that was asked for needs a session.
    session_required = SessionRequired;
    /// The session has ended.
    session_ended = SessionEnded;
    /// The sign-in took too long, or was finished before.
    sign_in_expired = SignInExpired;
    /// The form's proof of origin has expired.
    page_too_old = PageTooOld;
    /// Any other failure of a sign-in.
    sign_in_failed = SignInFailed;
    /// The API refused what was typed.
    credentials_wrong = CredentialsWrong;
    /// The account is locked.
    account_locked = AccountLocked;
    /// The password has expired.
    password_expired = PasswordExpired;
    /// The e-mail address is not confirmed yet.
    email_unconfirmed = EmailUnconfirmed;
    /// The API wants a one-time code.
    code_required = CodeRequired;
    /// The one-time code is wrong.
    code_wrong = CodeWrong;
    /// Too many attempts.
    too_many_attempts = TooManyAttempts;

    /// The heading of the sign-out page, and its button.
    sign_out = SignOut;
    /// The question on it.
    sign_out_question = SignOutQuestion;
    /// The button that ends every session of the user.
    sign_out_everywhere = SignOutEverywhere;
    /// The link back.
    cancel = Cancel;
    /// The heading after a sign-out.
    signed_out_title = SignedOutTitle;
    /// The sign-out did not reach every copy of the session.
    sign_out_incomplete = SignOutIncomplete;
    /// The link to where the person wanted to go.
    go_on = GoOn;
    /// Above the name of the account.
    signed_in_as = SignedInAs;

    /// The heading of the page for a failure on this side.
    our_fault_title = OurFaultTitle;
    /// What it says.
    our_fault = OurFault;
    /// The heading of the page for a person who may not sign in.
    denied_title = DeniedTitle;
    /// What it says.
    denied = Denied;
    /// The heading of the page for a link that was used or has expired.
    dead_link_title = DeadLinkTitle;
    /// What it says.
    dead_link = DeadLink;
    /// The heading of the page for any other error.
    error_title = ErrorTitle;
    /// The link to the sign-in page after an error.
    sign_in_again = SignInAgain;
    /// The link to `/`.
    home = Home;

    /// The heading of the 403 page.
    forbidden_title = ForbiddenTitle;
    /// What it says to a person who is signed in.
    forbidden = Forbidden;
    /// What it says to a person who is not.
    forbidden_signed_out = ForbiddenSignedOut;
    /// Its button.
    other_account = OtherAccount;
    /// The heading on a host where no one can sign in.
    foreign_host_title = ForeignHostTitle;
    /// What it says.
    foreign_host = ForeignHost;
    /// What the page says where the site forwards requests to itself.
    forwarding_loop = ForwardingLoop;
    /// The heading after too many attempts to sign in.
    too_many_attempts_title = TooManyAttemptsTitle;

    /// The heading of the page for a form that came after the session's end.
    late_form_title = LateFormTitle;
    /// What it says.
    late_form = LateForm;
    /// What it says if the browser keeps the form.
    late_form_kept = LateFormKept;
    /// The heading of the pages for a form that was kept.
    kept_form_title = KeptFormTitle;
    /// The tab keeps no form.
    no_kept_form = NoKeptForm;
    /// Above the form.
    kept_form = KeptForm;
    /// Its button.
    send_form = SendForm;
    /// The link that leaves it.
    discard_form = DiscardForm;
    /// The heading of the page for another person's form.
    foreign_form_title = ForeignFormTitle;
    /// What it says.
    foreign_form = ForeignForm;
    /// The heading of the page for a form that is no longer kept.
    forgotten_form_title = ForgottenFormTitle;
    /// What it says.
    forgotten_form = ForgottenForm;

    /// The heading of the page for an address that is too long.
    link_too_long_title = LinkTooLongTitle;
    /// What it says before a sign-in, which could not lead back there.
    return_address_too_long = ReturnAddressTooLong;
    /// What it says of the page's own address.
    address_too_long = AddressTooLong;
    /// The heading of the page for an address with a mistake in it.
    bad_link_title = BadLinkTitle;
    /// What it says.
    bad_link = BadLink;
    /// The heading of the page for a form of another site.
    not_accepted_title = NotAcceptedTitle;
    /// What it says.
    not_accepted = NotAccepted;
    /// The heading where there is no page.
    no_page_title = NoPageTitle;
    /// What it says.
    no_page = NoPage;
    /// The heading of the page for a failure that passes.
    moment_title = MomentTitle;
    /// What it says of a form.
    not_arrived = NotArrived;
    /// What it says of a page whose server does not answer.
    unreachable = Unreachable;
    /// What it says if the session cannot be checked.
    unchecked = Unchecked;
    /// What the page for a failure on this side says of any other page than the sign-in.
    page_failed = PageFailed;
    /// The button that opens the same page again.
    try_again = TryAgain;

    /// The heading of the pages for a person who is signed in and has to prove more.
    step_up_title = StepUpTitle;
    /// The provider did not confirm what the page asks for.
    step_up_not_given = StepUpNotGiven;
    /// Another account than the session's was confirmed.
    step_up_other_user = StepUpOtherUser;
    /// The person's provider can never confirm it.
    no_step_up = NoStepUp;
    /// What the page says of a form that was sent before.
    step_up_form = StepUpForm;
    /// The button that leads to the provider.
    step_up = StepUp;
    /// Above that form, after the person has proven it.
    step_up_kept_form = StepUpKeptForm;
}
