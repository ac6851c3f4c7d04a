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

    sign_in_refused: "O login foi cancelado ou recusado. Tente novamente ou use outra conta.",
    account_not_linked: "Para confirmar sua identidade, entre com a mesma conta que você usou na primeira vez.",
    sign_in_denied: "Você não tem permissão para entrar.",
    session_required: "Entre para ver esta página.",
    session_ended: "Sua sessão terminou. Entre novamente.",
    sign_in_expired: "Este login demorou demais ou já tinha sido concluído. Entre novamente. Se esta mensagem \
                      aparecer de novo, permita cookies neste site.",
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
    sign_out_incomplete: "Você saiu da conta neste navegador. Não foi possível encerrar as outras cópias da sua sessão: se você \
                          também estiver conectado em outro dispositivo, saia por lá.",
    go_on: "Continuar",
    signed_in_as: "Conectado como",

    our_fault_title: "Algo deu errado do nosso lado",
    our_fault: "Não foi possível fazer seu login. Tente novamente. Se acontecer de novo, avise os responsáveis por este \
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
    forwarding_loop: "Este site não está bem configurado: sua solicitação anda em círculos. Avise os responsáveis.",
    too_many_attempts_title: "Muitas tentativas",

    late_form_title: "Sua sessão terminou",
    late_form: "O que você enviou não foi aceito, porque sua sessão terminou. Entre novamente.",
    late_form_kept: "O que você preencheu fica guardado nesta aba por 15 minutos. Depois de entrar, você pode \
                     rever e enviar.",
    kept_form_title: "Seu formulário",
    no_kept_form: "Esta aba não guarda nenhum formulário. Um formulário fica guardado por 15 minutos, na aba em \
                   que você o enviou.",
    kept_form: "Você enviou este formulário depois que sua sessão terminou. Ele ainda não foi aceito.",
    send_form: "Enviar agora",
    discard_form: "Não enviar",
    foreign_form_title: "Este formulário não é seu",
    foreign_form: "Alguém com outra conta o preencheu neste dispositivo, por isso ele não é mostrado a você.",
    forgotten_form_title: "O formulário não está mais guardado",
    forgotten_form: "Um formulário fica guardado por 15 minutos. Preencha-o novamente.",

    link_too_long_title: "Este link é longo demais",
    return_address_too_long: "Não podemos levar você de volta a ele depois do login. Entre primeiro e depois abra \
                              o link novamente.",
    address_too_long: "Não podemos abrir um endereço deste tamanho.",
    bad_link_title: "Este link não funciona",
    bad_link: "Há algo errado no endereço, ou falta uma parte. Talvez ele tenha sido cortado antes de chegar a você.",
    not_accepted_title: "Esta solicitação não foi aceita",
    not_accepted: "Ela não veio de uma página deste site. Vá para o próprio site e tente novamente por lá.",
    no_page_title: "Não há nada aqui",
    no_page: "O endereço pode estar errado, ou a página mudou de lugar.",
    moment_title: "Um momento, por favor",
    not_arrived: "O que você enviou não chegou. Aguarde um momento, volte e envie novamente.",
    unreachable: "Não é possível acessar esta página. Tente novamente em instantes.",
    unchecked: "Não conseguimos verificar sua sessão agora. Ela não foi encerrada. Tente novamente em instantes.",
    page_failed: "Não conseguimos mostrar esta página. Tente novamente. Se acontecer de novo, avise os responsáveis \
                  por este site.",
    try_again: "Tentar novamente",

    step_up_title: "Confirme que é você",
    step_up_not_given: "Esta página pede um acesso mais forte ou mais recente, e ele não foi confirmado. Sua \
                        sessão continua aberta para todo o resto.",
    step_up_other_user: "Você confirmou uma conta diferente daquela com que está conectado. Nada foi alterado. \
                         Tente novamente com a mesma conta.",
    no_step_up: "Esta página pede um acesso mais forte ou mais recente do que sua conta permite aqui. Sua \
                 sessão continua aberta para todo o resto.",
    step_up_form: "O que você enviou ainda não foi aceito: é preciso um acesso mais forte ou mais recente.",
    step_up: "Confirmar que é você",
    step_up_kept_form: "Você enviou este formulário antes de confirmar que é você. Ele ainda não foi aceito.",
};
