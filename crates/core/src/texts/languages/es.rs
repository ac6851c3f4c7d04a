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
    sign_in_expired: "Este inicio de sesión tardó demasiado o ya se había completado. Inicie sesión de nuevo. Si \
                      vuelve a ver este mensaje, permita las cookies de este sitio.",
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
    forwarding_loop: "Este sitio no está bien configurado: su solicitud da vueltas en círculo. Avise a los responsables.",
    too_many_attempts_title: "Demasiados intentos",

    late_form_title: "Su sesión ha terminado",
    late_form: "Lo que envió no se aceptó porque su sesión ha terminado. Inicie sesión de nuevo.",
    late_form_kept: "Lo que escribió se conserva en esta pestaña durante 15 minutos. Podrá verlo y enviarlo \
                     después de iniciar sesión.",
    kept_form_title: "Su formulario",
    no_kept_form: "Esta pestaña no conserva ningún formulario. Un formulario se conserva durante 15 minutos, en \
                   la pestaña en la que lo envió.",
    kept_form: "Envió este formulario después de que terminara su sesión. Todavía no se ha aceptado.",
    send_form: "Enviarlo ahora",
    discard_form: "No enviarlo",
    foreign_form_title: "Este formulario no es suyo",
    foreign_form: "Alguien con otra cuenta lo rellenó en este dispositivo, así que no se le muestra.",
    forgotten_form_title: "El formulario ya no se conserva",
    forgotten_form: "Un formulario se conserva durante 15 minutos. Rellénelo de nuevo.",

    link_too_long_title: "Este enlace es demasiado largo",
    return_address_too_long: "No podemos llevarle de vuelta a él después de iniciar sesión. Inicie sesión primero y \
                              abra el enlace de nuevo.",
    address_too_long: "No podemos abrir una dirección de esta longitud.",
    bad_link_title: "Este enlace no funciona",
    bad_link: "Hay algo incorrecto en la dirección o falta una parte. Puede que se haya cortado antes de llegarle.",
    not_accepted_title: "Esta solicitud no se ha aceptado",
    not_accepted: "No procedía de una página de este sitio. Vaya al propio sitio e inténtelo de nuevo allí.",
    no_page_title: "Aquí no hay nada",
    no_page: "Puede que la dirección sea incorrecta o que la página se haya movido.",
    moment_title: "Un momento, por favor",
    not_arrived: "Lo que envió no ha llegado. Espere un momento, vuelva atrás y envíelo de nuevo.",
    unreachable: "No se puede acceder a esta página. Inténtelo de nuevo en un momento.",
    unchecked: "Ahora mismo no podemos comprobar su sesión, pero no se ha cerrado. Inténtelo de nuevo en un momento.",
    page_failed: "No hemos podido mostrar esta página. Inténtelo de nuevo. Si vuelve a ocurrir, avise a los \
                  responsables de este sitio.",
    try_again: "Intentar de nuevo",

    step_up_title: "Confirme que es usted",
    step_up_not_given: "Esta página pide un inicio de sesión más seguro o más reciente, y no se ha confirmado. \
                        Su sesión sigue abierta para todo lo demás.",
    step_up_other_user: "Ha confirmado una cuenta distinta de la que usa en esta sesión. No se ha cambiado \
                         nada. Inténtelo de nuevo con la misma cuenta.",
    no_step_up: "Esta página pide un inicio de sesión más seguro o más reciente de lo que su cuenta permite \
                 aquí. Su sesión sigue abierta para todo lo demás.",
    step_up_form: "Lo que ha enviado todavía no se ha aceptado: requiere un inicio de sesión más seguro o más \
                   reciente.",
    step_up: "Confirmar que es usted",
    step_up_kept_form: "Envió este formulario antes de confirmar que es usted. Todavía no se ha aceptado.",
};
