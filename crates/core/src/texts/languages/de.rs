//! German, in the polite form.

use crate::texts::Texts;

pub(super) const TEXTS: Texts = Texts {
    sign_in_title: "Anmelden",
    continue_to: "weiter zu {host}",
    sign_in: "Anmelden",
    sign_in_with: "Mit {provider} anmelden",
    or: "oder",
    optional: "(freiwillig)",
    email_field: "E-Mail-Adresse",
    username_field: "Benutzername",
    password_field: "Passwort",
    code_field: "Einmalcode",
    keep_signed_in: "Angemeldet bleiben",
    forgot_password: "Passwort vergessen?",
    sign_up: "Konto anlegen",
    privacy: "Datenschutz",
    support: "Hilfe",

    sign_in_refused: "Die Anmeldung wurde abgebrochen oder abgelehnt. Bitte versuchen Sie es noch einmal, oder \
                      verwenden Sie ein anderes Konto.",
    account_not_linked: "Bitte melden Sie sich zur Bestätigung mit demselben Konto an wie beim ersten Mal.",
    sign_in_denied: "Sie dürfen sich hier nicht anmelden.",
    session_required: "Bitte melden Sie sich an, um diese Seite zu sehen.",
    session_ended: "Ihre Sitzung ist beendet. Bitte melden Sie sich noch einmal an.",
    page_too_old: "Die Seite war zu lange geöffnet, oder Ihr Browser blockiert Cookies. Bitte versuchen Sie es noch \
                   einmal.",
    sign_in_failed: "Die Anmeldung ist fehlgeschlagen. Bitte versuchen Sie es noch einmal.",
    credentials_wrong: "Die Anmeldung ist fehlgeschlagen. Bitte prüfen Sie Ihre Eingaben.",
    account_locked: "Dieses Konto ist gesperrt. Bitte wenden Sie sich an die Betreiber dieser Website.",
    password_expired: "Ihr Passwort ist abgelaufen. Bitte legen Sie ein neues fest, und melden Sie sich dann noch \
                       einmal an.",
    email_unconfirmed: "Bitte bestätigen Sie zuerst Ihre E-Mail-Adresse: Öffnen Sie den Link in der E-Mail, die Sie \
                        bekommen haben.",
    code_required: "Bitte geben Sie auch Ihren Einmalcode ein.",
    code_wrong: "Der Einmalcode ist falsch oder abgelaufen. Bitte geben Sie einen neuen ein.",
    too_many_attempts: "Zu viele Versuche. Bitte warten Sie einige Minuten, und versuchen Sie es dann noch einmal.",

    sign_out: "Abmelden",
    sign_out_question: "Möchten Sie sich wirklich abmelden?",
    sign_out_everywhere: "Überall abmelden",
    cancel: "Abbrechen",
    signed_out_title: "Abgemeldet",
    sign_out_incomplete: "In diesem Browser sind Sie abgemeldet. Andere Kopien Ihrer Sitzung konnten nicht beendet \
                          werden: Wenn Sie auch auf einem anderen Gerät angemeldet sind, melden Sie sich bitte dort ab.",
    go_on: "Weiter",
    signed_in_as: "Angemeldet als",

    our_fault_title: "Bei uns ist etwas schiefgegangen",
    our_fault: "Wir konnten Sie nicht anmelden. Bitte versuchen Sie es noch einmal. Wenn es wieder geschieht, sagen Sie \
                bitte den Betreibern dieser Website Bescheid.",
    denied_title: "Zugriff verweigert",
    denied: "Sie dürfen sich hier nicht anmelden. Wenn Sie ein anderes Konto haben, versuchen Sie es bitte mit diesem.",
    dead_link_title: "Dieser Link gilt nicht mehr",
    dead_link: "Er ist abgelaufen oder wurde schon benutzt. Bitte melden Sie sich noch einmal an, um einen neuen zu \
                bekommen.",
    error_title: "Etwas ist schiefgegangen",
    sign_in_again: "Noch einmal anmelden",
    home: "Zur Startseite",

    forbidden_title: "Kein Zugriff",
    forbidden: "Sie sind angemeldet, aber Ihr Konto hat keinen Zugriff auf diese Seite.",
    forbidden_signed_out: "Bitte melden Sie sich mit einem Konto an, das Zugriff auf diese Seite hat.",
    other_account: "Mit einem anderen Konto anmelden",
    foreign_host_title: "Keine Anmeldung hier",
    foreign_host: "Unter dieser Adresse können Sie sich nicht anmelden. Bitte gehen Sie zur üblichen Adresse der Website.",
};
