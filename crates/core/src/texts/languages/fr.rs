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
    sign_in_expired: "Cette connexion a duré trop longtemps, ou elle était déjà terminée. Veuillez vous reconnecter. \
                      Si ce message revient, veuillez autoriser les cookies pour ce site.",
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
    signed_out_title: "Déconnexion effectuée",
    sign_out_incomplete: "Vous êtes déconnecté sur ce navigateur. Les autres copies de votre session n’ont pas pu être \
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
    foreign_host_title: "Connexion impossible ici",
    foreign_host: "Vous ne pouvez pas vous connecter à cette adresse. Veuillez aller à l’adresse habituelle du site.",
    forwarding_loop: "Ce site est mal configuré\u{a0}: votre demande tourne en rond. Veuillez prévenir ses responsables.",
    too_many_attempts_title: "Trop de tentatives",

    late_form_title: "Votre session est terminée",
    late_form: "Votre envoi n’a pas été accepté, car votre session est terminée. Veuillez vous reconnecter.",
    late_form_kept: "Votre saisie est conservée dans cet onglet pendant 15 minutes. Vous pourrez la relire et \
                     l’envoyer après vous être connecté.",
    kept_form_title: "Votre formulaire",
    no_kept_form: "Cet onglet ne conserve aucun formulaire. Un formulaire est conservé pendant 15 minutes, dans \
                   l’onglet où vous l’avez envoyé.",
    kept_form: "Vous avez envoyé ce formulaire après la fin de votre session. Il n’a pas encore été accepté.",
    send_form: "Envoyer maintenant",
    discard_form: "Ne pas envoyer",
    foreign_form_title: "Ce formulaire n’est pas le vôtre",
    foreign_form: "Une personne l’a rempli avec un autre compte sur cet appareil. Il ne vous est donc pas montré.",
    forgotten_form_title: "Le formulaire n’est plus conservé",
    forgotten_form: "Un formulaire est conservé pendant 15 minutes. Veuillez le remplir de nouveau.",

    link_too_long_title: "Ce lien est trop long",
    return_address_too_long: "Nous ne pouvons pas vous y ramener après la connexion. Veuillez d’abord vous \
                              connecter, puis ouvrir de nouveau le lien.",
    address_too_long: "Nous ne pouvons pas ouvrir une adresse de cette longueur.",
    bad_link_title: "Ce lien ne fonctionne pas",
    bad_link: "L’adresse contient une erreur, ou il en manque une partie. Elle a peut-être été coupée avant de vous \
               parvenir.",
    not_accepted_title: "Cette demande n’a pas été acceptée",
    not_accepted: "Elle ne venait pas d’une page de ce site. Veuillez aller sur le site lui-même et y réessayer.",
    no_page_title: "Il n’y a rien ici",
    no_page: "L’adresse est peut-être incorrecte, ou la page a été déplacée.",
    moment_title: "Un instant, s’il vous plaît",
    not_arrived: "Ce que vous avez envoyé n’est pas arrivé. Veuillez patienter un instant, revenir en arrière et \
                  l’envoyer de nouveau.",
    unreachable: "Cette page n’est pas accessible. Veuillez réessayer dans un instant.",
    unchecked: "Nous ne pouvons pas vérifier votre connexion pour le moment. Vous n’êtes pas déconnecté. Veuillez \
                réessayer dans un instant.",
    page_failed: "Nous n’avons pas pu afficher cette page. Veuillez réessayer. Si cela se reproduit, veuillez \
                  prévenir les responsables de ce site.",
    try_again: "Réessayer",

    step_up_title: "Veuillez confirmer que c’est bien vous",
    step_up_not_given: "Cette page demande une connexion plus forte ou plus récente, et elle n’a pas été \
                        confirmée. Vous restez connecté pour tout le reste.",
    step_up_other_user: "Vous avez confirmé un autre compte que celui avec lequel vous êtes connecté. Rien n’a \
                         été modifié. Veuillez réessayer avec le même compte.",
    no_step_up: "Cette page demande une connexion plus forte ou plus récente que celle que votre compte permet \
                 ici. Vous restez connecté pour tout le reste.",
    step_up_form: "Ce que vous avez envoyé n’a pas encore été accepté : il faut une connexion plus forte ou \
                   plus récente.",
    step_up: "Confirmer que c’est bien vous",
    step_up_kept_form: "Vous avez envoyé ce formulaire avant d’avoir confirmé que c’est bien vous. Il n’a pas \
                        encore été accepté.",
};
