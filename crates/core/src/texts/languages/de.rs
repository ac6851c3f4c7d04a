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
    sign_in_expired: "Diese Anmeldung hat zu lange gedauert oder war schon abgeschlossen. Bitte melden Sie sich noch \
                      einmal an. Wenn Sie das wieder sehen, erlauben Sie bitte Cookies für diese Website.",
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
    denied: "Sie dürfen sich hier nicht anmelden. Wenn Sie ein anderes Konto haben, versuchen Sie es bitte damit.",
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
    foreign_host_title: "Hier ist keine Anmeldung möglich",
    foreign_host: "Unter dieser Adresse können Sie sich nicht anmelden. Bitte gehen Sie zur üblichen Adresse der Website.",
    forwarding_loop: "Diese Website ist nicht richtig eingerichtet: Ihre Anfrage führt im Kreis. Bitte sagen Sie den Betreibern Bescheid.",
    too_many_attempts_title: "Zu viele Versuche",

    late_form_title: "Ihre Sitzung ist beendet",
    late_form: "Was Sie gesendet haben, wurde nicht angenommen, weil Ihre Sitzung beendet ist. Bitte melden Sie \
                sich noch einmal an.",
    late_form_kept: "Ihre Eingaben bleiben 15 Minuten lang in diesem Tab erhalten. Nach der Anmeldung können \
                     Sie sie ansehen und senden.",
    kept_form_title: "Ihr Formular",
    no_kept_form: "In diesem Tab ist kein Formular aufbewahrt. Ein Formular bleibt 15 Minuten lang in dem Tab \
                   erhalten, in dem Sie es gesendet haben.",
    kept_form: "Sie haben dieses Formular gesendet, nachdem Ihre Sitzung beendet war. Es wurde noch nicht \
                angenommen.",
    send_form: "Jetzt senden",
    discard_form: "Nicht senden",
    foreign_form_title: "Dieses Formular ist nicht Ihres",
    foreign_form: "Jemand mit einem anderen Konto hat es auf diesem Gerät ausgefüllt. Deshalb wird es Ihnen \
                   nicht gezeigt.",
    forgotten_form_title: "Das Formular ist nicht mehr da",
    forgotten_form: "Ein Formular wird 15 Minuten lang aufbewahrt. Bitte füllen Sie es noch einmal aus.",

    link_too_long_title: "Dieser Link ist zu lang",
    return_address_too_long: "Wir können Sie nach der Anmeldung nicht dorthin zurückbringen. Bitte melden Sie sich \
                              zuerst an, und öffnen Sie den Link dann noch einmal.",
    address_too_long: "Eine so lange Adresse können wir nicht öffnen.",
    bad_link_title: "Dieser Link funktioniert nicht",
    bad_link: "In der Adresse ist etwas falsch, oder es fehlt etwas. Vielleicht wurde sie auf dem Weg zu Ihnen \
               abgeschnitten.",
    not_accepted_title: "Diese Anfrage wurde nicht angenommen",
    not_accepted: "Sie kam nicht von einer Seite dieser Website. Bitte gehen Sie zur Website selbst, und versuchen \
                   Sie es dort noch einmal.",
    no_page_title: "Hier ist nichts",
    no_page: "Vielleicht ist die Adresse falsch, oder die Seite wurde verschoben.",
    moment_title: "Einen Moment, bitte",
    not_arrived: "Was Sie gesendet haben, ist nicht angekommen. Bitte warten Sie einen Moment, gehen Sie zurück, und \
                  senden Sie es noch einmal.",
    unreachable: "Diese Seite ist nicht erreichbar. Bitte versuchen Sie es gleich noch einmal.",
    unchecked: "Wir können Ihre Anmeldung gerade nicht prüfen. Sie sind nicht abgemeldet. Bitte versuchen Sie es \
                gleich noch einmal.",
    page_failed: "Wir konnten diese Seite nicht anzeigen. Bitte versuchen Sie es noch einmal. Wenn es wieder \
                  geschieht, sagen Sie bitte den Betreibern dieser Website Bescheid.",
    try_again: "Noch einmal versuchen",

    step_up_title: "Bitte bestätigen Sie, dass Sie es sind",
    step_up_not_given: "Diese Seite verlangt eine stärkere oder neuere Anmeldung, und die wurde nicht \
                        bestätigt. Für alles andere sind Sie weiterhin angemeldet.",
    step_up_other_user: "Sie haben ein anderes Konto bestätigt als das, mit dem Sie angemeldet sind. Es wurde \
                         nichts geändert. Bitte versuchen Sie es mit demselben Konto noch einmal.",
    no_step_up: "Diese Seite verlangt eine stärkere oder neuere Anmeldung, als Ihr Konto sie hier bieten kann. \
                 Für alles andere sind Sie weiterhin angemeldet.",
    step_up_form: "Was Sie gesendet haben, wurde noch nicht angenommen: Es verlangt eine stärkere oder neuere \
                   Anmeldung.",
    step_up: "Bestätigen, dass Sie es sind",
    step_up_kept_form: "Sie haben dieses Formular gesendet, bevor Sie bestätigt haben, dass Sie es sind. Es \
                        wurde noch nicht angenommen.",
};
