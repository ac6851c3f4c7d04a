//! Spanish, in the polite form.

use crate::texts::Texts;

pub(super) const TEXTS: Texts = Texts {
    sign_in_title: "Iniciar sesión",
    continue_to: "para continuar en {host}",
    sign_in: "Iniciar sesión",
    sign_in_with: "Iniciar sesión con {provider}",
    or: "o",
    optional: "(opcional)",
    email_field: "Correo electrónico",
    username_field: "Nombre de usuario",
    password_field: "Contraseña",
    code_field: "Código de un solo uso",
    keep_signed_in: "Mantener la sesión iniciada",
    forgot_password: "¿Ha olvidado su contraseña?",
    sign_up: "Crear una cuenta",
    privacy: "Privacidad",
    support: "Ayuda",

    sign_in_refused: "El inicio de sesión se canceló o fue rechazado. Inténtelo de nuevo o use otra cuenta.",
    account_not_linked: "Para confirmar su identidad, inicie sesión con la misma cuenta que usó la primera vez.",
    sign_in_denied: "No tiene permiso para iniciar sesión.",
    session_required: "Inicie sesión para ver esta página.",
    session_ended: "Su sesión ha terminado. Inicie sesión de nuevo.",
    page_too_old: "La página estuvo abierta demasiado tiempo o su navegador bloquea las cookies. Inténtelo de nuevo.",
    sign_in_failed: "No se ha podido iniciar sesión. Inténtelo de nuevo.",
    credentials_wrong: "No se ha podido iniciar sesión. Compruebe que los datos introducidos son correctos.",
    account_locked: "Esta cuenta está bloqueada. Póngase en contacto con los responsables de este sitio.",
    password_expired: "Su contraseña ha caducado. Elija una nueva y vuelva a iniciar sesión.",
    email_unconfirmed: "Confirme primero su correo electrónico: abra el enlace del mensaje que ha recibido.",
    code_required: "Introduzca también su código de un solo uso.",
    code_wrong: "El código de un solo uso es incorrecto o ha caducado. Introduzca uno nuevo.",
    too_many_attempts: "Demasiados intentos. Espere unos minutos e inténtelo de nuevo.",

    sign_out: "Cerrar sesión",
    sign_out_question: "¿Seguro que quiere cerrar sesión?",
    sign_out_everywhere: "Cerrar sesión en todas partes",
    cancel: "Cancelar",
    signed_out_title: "Sesión cerrada",
    sign_out_incomplete: "Ha cerrado sesión en este navegador. No se han podido cerrar las demás copias de su sesión: si \
                          también tiene la sesión iniciada en otro dispositivo, ciérrela allí.",
    go_on: "Continuar",
    signed_in_as: "Sesión iniciada como",

    our_fault_title: "Algo ha fallado por nuestra parte",
    our_fault: "No hemos podido iniciar su sesión. Inténtelo de nuevo. Si vuelve a ocurrir, avise a los responsables de \
                este sitio.",
    denied_title: "Acceso denegado",
    denied: "No tiene permiso para iniciar sesión. Si tiene otra cuenta, inténtelo con ella.",
    dead_link_title: "Este enlace ya no es válido",
    dead_link: "Ha caducado o ya se ha usado. Inicie sesión de nuevo para obtener otro.",
    error_title: "Algo ha fallado",
    sign_in_again: "Iniciar sesión de nuevo",
    home: "Ir a la página de inicio",

    forbidden_title: "Sin acceso",
    forbidden: "Ha iniciado sesión, pero su cuenta no tiene acceso a esta página.",
    forbidden_signed_out: "Inicie sesión con una cuenta que tenga acceso a esta página.",
    other_account: "Iniciar sesión con otra cuenta",
    foreign_host_title: "Aquí no se puede iniciar sesión",
    foreign_host: "No puede iniciar sesión en esta dirección. Vaya a la dirección habitual del sitio.",
};
