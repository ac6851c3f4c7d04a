//! Portuguese, as in Brazil.

use crate::texts::Texts;

pub(super) const TEXTS: Texts = Texts {
    sign_in_title: "Entrar",
    continue_to: "para continuar em {host}",
    sign_in: "Entrar",
    sign_in_with: "Entrar com {provider}",
    or: "ou",
    optional: "(opcional)",
    email_field: "E-mail",
    username_field: "Nome de usuário",
    password_field: "Senha",
    code_field: "Código de uso único",
    keep_signed_in: "Continuar conectado",
    forgot_password: "Esqueceu a senha?",
    sign_up: "Criar uma conta",
    privacy: "Privacidade",
    support: "Ajuda",

    sign_in_refused: "A entrada foi cancelada ou recusada. Tente novamente ou use outra conta.",
    account_not_linked: "Para confirmar sua identidade, entre com a mesma conta que você usou na primeira vez.",
    sign_in_denied: "Você não tem permissão para entrar.",
    session_required: "Entre para ver esta página.",
    session_ended: "Sua sessão terminou. Entre novamente.",
    page_too_old: "A página ficou aberta por muito tempo ou seu navegador bloqueia cookies. Tente novamente.",
    sign_in_failed: "Não foi possível entrar. Tente novamente.",
    credentials_wrong: "Não foi possível entrar. Verifique se os dados digitados estão corretos.",
    account_locked: "Esta conta está bloqueada. Entre em contato com os responsáveis por este site.",
    password_expired: "Sua senha expirou. Defina uma nova e entre novamente.",
    email_unconfirmed: "Confirme primeiro seu endereço de e-mail: abra o link no e-mail que você recebeu.",
    code_required: "Digite também seu código de uso único.",
    code_wrong: "O código de uso único está incorreto ou expirou. Digite um novo.",
    too_many_attempts: "Muitas tentativas. Aguarde alguns minutos e tente novamente.",

    sign_out: "Sair",
    sign_out_question: "Tem certeza de que deseja sair?",
    sign_out_everywhere: "Sair de todos os dispositivos",
    cancel: "Cancelar",
    signed_out_title: "Você saiu",
    sign_out_incomplete: "Você saiu neste navegador. Não foi possível encerrar as outras cópias da sua sessão: se você \
                          também estiver conectado em outro dispositivo, saia por lá.",
    go_on: "Continuar",
    signed_in_as: "Conectado como",

    our_fault_title: "Algo deu errado do nosso lado",
    our_fault: "Não foi possível fazer sua entrada. Tente novamente. Se acontecer de novo, avise os responsáveis por este \
                site.",
    denied_title: "Acesso negado",
    denied: "Você não tem permissão para entrar. Se você tem outra conta, tente com ela.",
    dead_link_title: "Este link não funciona mais",
    dead_link: "Ele expirou ou já foi usado. Entre novamente para receber um novo.",
    error_title: "Algo deu errado",
    sign_in_again: "Entrar novamente",
    home: "Ir para a página inicial",

    forbidden_title: "Sem acesso",
    forbidden: "Você está conectado, mas sua conta não tem acesso a esta página.",
    forbidden_signed_out: "Entre com uma conta que tenha acesso a esta página.",
    other_account: "Entrar com outra conta",
    foreign_host_title: "Não é possível entrar aqui",
    foreign_host: "Não é possível entrar neste endereço. Vá para o endereço habitual do site.",
};
