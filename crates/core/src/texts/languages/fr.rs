//! French. A question mark and a colon have a space before them that does not break.

use crate::texts::Texts;

pub(super) const TEXTS: Texts = Texts {
    sign_in_title: "Connexion",
    continue_to: "pour continuer vers {host}",
    sign_in: "Se connecter",
    sign_in_with: "Se connecter avec {provider}",
    or: "ou",
    optional: "(facultatif)",
    email_field: "Adresse e-mail",
    username_field: "Nom d’utilisateur",
    password_field: "Mot de passe",
    code_field: "Code à usage unique",
    keep_signed_in: "Rester connecté",
    forgot_password: "Mot de passe oublié\u{a0}?",
    sign_up: "Créer un compte",
    privacy: "Confidentialité",
    support: "Aide",

    sign_in_refused: "La connexion a été annulée ou refusée. Veuillez réessayer, ou utiliser un autre compte.",
    account_not_linked: "Pour confirmer votre identité, veuillez vous connecter avec le compte utilisé la première fois.",
    sign_in_denied: "Vous n’êtes pas autorisé à vous connecter.",
    session_required: "Veuillez vous connecter pour voir cette page.",
    session_ended: "Votre session est terminée. Veuillez vous reconnecter.",
    page_too_old: "La page est restée ouverte trop longtemps, ou votre navigateur bloque les cookies. Veuillez réessayer.",
    sign_in_failed: "La connexion a échoué. Veuillez réessayer.",
    credentials_wrong: "La connexion a échoué. Veuillez vérifier les informations saisies.",
    account_locked: "Ce compte est verrouillé. Veuillez contacter les responsables de ce site.",
    password_expired: "Votre mot de passe a expiré. Veuillez en choisir un nouveau, puis vous reconnecter.",
    email_unconfirmed: "Veuillez d’abord confirmer votre adresse e-mail\u{a0}: ouvrez le lien dans l’e-mail que vous \
                        avez reçu.",
    code_required: "Veuillez saisir aussi votre code à usage unique.",
    code_wrong: "Le code à usage unique est incorrect ou a expiré. Veuillez en saisir un nouveau.",
    too_many_attempts: "Trop de tentatives. Veuillez patienter quelques minutes, puis réessayer.",

    sign_out: "Se déconnecter",
    sign_out_question: "Voulez-vous vraiment vous déconnecter\u{a0}?",
    sign_out_everywhere: "Se déconnecter partout",
    cancel: "Annuler",
    signed_out_title: "Déconnecté",
    sign_out_incomplete: "Vous êtes déconnecté dans ce navigateur. Les autres copies de votre session n’ont pas pu être \
                          fermées\u{a0}: si vous êtes aussi connecté sur un autre appareil, déconnectez-vous sur celui-ci.",
    go_on: "Continuer",
    signed_in_as: "Connecté en tant que",

    our_fault_title: "Un problème est survenu de notre côté",
    our_fault: "Nous n’avons pas pu vous connecter. Veuillez réessayer. Si cela se reproduit, veuillez prévenir les \
                responsables de ce site.",
    denied_title: "Accès refusé",
    denied: "Vous n’êtes pas autorisé à vous connecter. Si vous avez un autre compte, veuillez essayer avec celui-ci.",
    dead_link_title: "Ce lien n’est plus valable",
    dead_link: "Il a expiré ou a déjà été utilisé. Veuillez vous reconnecter pour en obtenir un nouveau.",
    error_title: "Un problème est survenu",
    sign_in_again: "Se reconnecter",
    home: "Aller à la page d’accueil",

    forbidden_title: "Accès non autorisé",
    forbidden: "Vous êtes connecté, mais votre compte n’a pas accès à cette page.",
    forbidden_signed_out: "Veuillez vous connecter avec un compte qui a accès à cette page.",
    other_account: "Se connecter avec un autre compte",
    foreign_host_title: "Pas de connexion ici",
    foreign_host: "Vous ne pouvez pas vous connecter à cette adresse. Veuillez aller à l’adresse habituelle du site.",
};
