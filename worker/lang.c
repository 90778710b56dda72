/* Languages: see lang.h. */
#include <string.h>

#include "http1.h"
#include "lang.h"
#include "range.h"

#define NLANGS (sizeof(tags) / sizeof(tags[0]))

static const char *const tags[] = { "en", "de", "fr", "es", "zh", "ja" };

/* Rows in the order of tags, English first: it is what the code says. */
static const char *const texts[][sizeof(tags) / sizeof(tags[0])] = {
	{ "login", "Anmeldung", "connexion", "inicio de sesión", "登录", "ログイン" },
	{ "User name", "Benutzername", "Nom d’utilisateur", "Nombre de usuario", "用户名",
	    "ユーザー名" },
	{ "Password", "Passwort", "Mot de passe", "Contraseña", "密码", "パスワード" },
	{ "registration", "Registrierung", "inscription", "registro", "注册", "登録" },
	{ "Register", "Registrieren", "S’inscrire", "Registrarse", "注册", "登録する" },
	{ "E-mail address", "E-Mail-Adresse", "Adresse e-mail", "Correo electrónico",
	    "电子邮件地址", "メールアドレス" },
	{ "No account yet? Register here.", "Noch kein Konto? Hier registrieren.",
	    "Pas encore de compte ? Inscrivez-vous ici.",
	    "¿Aún no tiene cuenta? Regístrese aquí.", "还没有账户？在此注册。",
	    "アカウントをお持ちでない方はこちらから登録してください。" },
	{ "An administrator has to approve your account before you can log in.",
	    "Bevor Sie sich anmelden können, muss ein Administrator Ihr Konto freigeben.",
	    "Un administrateur doit approuver votre compte avant que vous puissiez vous "
	    "connecter.",
	    "Un administrador debe aprobar su cuenta antes de que pueda iniciar sesión.",
	    "管理员批准您的账户后，您才能登录。",
	    "ログインするには、管理者によるアカウントの承認が必要です。" },
	{ "A user name has at most 32 characters.",
	    "Ein Benutzername hat höchstens 32 Zeichen.",
	    "Un nom d’utilisateur a au plus 32 caractères.",
	    "Un nombre de usuario tiene como máximo 32 caracteres.",
	    "用户名最多 32 个字符。", "ユーザー名は32文字以内です。" },
	{ "An e-mail address has at most 254 characters.",
	    "Eine E-Mail-Adresse hat höchstens 254 Zeichen.",
	    "Une adresse e-mail a au plus 254 caractères.",
	    "Una dirección de correo electrónico tiene como máximo 254 caracteres.",
	    "电子邮件地址最多 254 个字符。", "メールアドレスは254文字以内です。" },
	{ "Log in", "Anmelden", "Se connecter", "Iniciar sesión", "登录", "ログイン" },
	{ "Incorrect user name or password.",
	    "Der Benutzername oder das Passwort ist falsch.",
	    "Nom d’utilisateur ou mot de passe incorrect.",
	    "Nombre de usuario o contraseña incorrectos.", "用户名或密码不正确。",
	    "ユーザー名またはパスワードが正しくありません。" },
	{ "Login rate limited! Please wait and try again.",
	    "Zu viele Anmeldeversuche! Bitte warten Sie, und versuchen Sie es erneut.",
	    "Trop de tentatives de connexion ! Veuillez patienter, puis réessayer.",
	    "¡Demasiados intentos de inicio de sesión! Espere y vuelva a intentarlo.",
	    "登录尝试过于频繁！请稍候再试。",
	    "ログインの試行回数が多すぎます。しばらく待ってからもう一度お試しください"
	    "。" },
	{ "Log out", "Abmelden", "Se déconnecter", "Cerrar sesión", "退出登录",
	    "ログアウト" },
	{ "Change your password", "Passwort ändern", "Changer de mot de passe",
	    "Cambiar la contraseña", "更改密码", "パスワードの変更" },
	{ "A new password", "Ein neues Passwort", "Un nouveau mot de passe",
	    "Una contraseña nueva", "设置新密码", "新しいパスワードの設定" },
	{ "Current password", "Bisheriges Passwort", "Mot de passe actuel",
	    "Contraseña actual", "当前密码", "現在のパスワード" },
	{ "New password", "Neues Passwort", "Nouveau mot de passe", "Contraseña nueva",
	    "新密码", "新しいパスワード" },
	{ "Change it", "Ändern", "Changer", "Cambiar", "更改", "変更する" },
	{ "Set it", "Festlegen", "Définir", "Establecer", "设置", "設定する" },
	{ "Characters, at least", "Zeichen, mindestens", "Caractères, au moins",
	    "Caracteres, como mínimo", "最少字符数", "最小文字数" },
	{ "Of these kinds (a, A, 1, #), at least", "Arten davon (a, A, 1, #), mindestens",
	    "De ces types (a, A, 1, #), au moins",
	    "De estos tipos (a, A, 1, #), como mínimo", "最少字符种类（a、A、1、#）",
	    "文字の種類（a、A、1、#）の最小数" },
	{ "Choose a password of your own before you go on.",
	    "Wählen Sie ein eigenes Passwort, bevor Sie fortfahren.",
	    "Choisissez un mot de passe personnel avant de continuer.",
	    "Elija una contraseña propia antes de continuar.",
	    "继续之前，请设置您自己的密码。",
	    "続行する前に、ご自身のパスワードを設定してください。" },
	{ "Both passwords are wanted, of 1 to 1024 bytes each.",
	    "Beide Passwörter werden gebraucht, mit je 1 bis 1024 Bytes.",
	    "Les deux mots de passe sont requis, de 1 à 1024 octets chacun.",
	    "Se necesitan ambas contraseñas, de 1 a 1024 bytes cada una.",
	    "两个密码都必须填写，长度各为 1 到 1024 字节。",
	    "両方のパスワードを、それぞれ1～1024バイトで入力してください。" },
	{ "A password of 1 to 1024 bytes is wanted.",
	    "Gebraucht wird ein Passwort mit 1 bis 1024 Bytes.",
	    "Un mot de passe de 1 à 1024 octets est requis.",
	    "Se necesita una contraseña de 1 a 1024 bytes.",
	    "密码长度必须为 1 到 1024 字节。",
	    "パスワードを1～1024バイトで入力してください。" },
	{ "This link is not whole: open it again.",
	    "Dieser Link ist nicht vollständig: Öffnen Sie ihn noch einmal.",
	    "Ce lien est incomplet : ouvrez-le à nouveau.",
	    "Este enlace está incompleto: ábralo de nuevo.", "此链接不完整：请重新打开。",
	    "このリンクは不完全です。もう一度開いてください。" },
	{ "the current password is wrong", "Das bisherige Passwort ist falsch",
	    "Le mot de passe actuel est incorrect", "La contraseña actual no es correcta",
	    "当前密码不正确", "現在のパスワードが正しくありません" },
	{ "the new password is the old one: take another",
	    "Das neue Passwort ist das alte: Nehmen Sie ein anderes",
	    "Le nouveau mot de passe est l’ancien : choisissez-en un autre",
	    "La contraseña nueva es la anterior: elija otra",
	    "新密码与旧密码相同，请另选一个",
	    "新しいパスワードが以前と同じです。別のものにしてください" },
	{ "a password does not hold the user's name",
	    "Ein Passwort enthält den Benutzernamen nicht",
	    "Un mot de passe ne contient pas le nom d’utilisateur",
	    "Una contraseña no contiene el nombre de usuario", "密码不能包含用户名",
	    "パスワードにユーザー名を含めることはできません" },
	{ "this password is one of the commonest, or little more: take another",
	    "Dieses Passwort ist eines der häufigsten oder kaum mehr: Nehmen Sie ein "
	    "anderes",
	    "Ce mot de passe est l’un des plus courants, ou presque : choisissez-en un "
	    "autre",
	    "Esta contraseña es una de las más comunes, o casi: elija otra",
	    "该密码过于常见，请另选一个",
	    "このパスワードは一般的すぎます。別のものにしてください" },
	{ "Missing user name", "Der Benutzername fehlt",
	    "Le nom d’utilisateur est manquant", "Falta el nombre de usuario",
	    "请输入用户名", "ユーザー名を入力してください" },
	{ "Missing password", "Das Passwort fehlt", "Le mot de passe est manquant",
	    "Falta la contraseña", "请输入密码", "パスワードを入力してください" },
};

/* Index of the language of a tag such as de-AT or zh-Hans-CN; NLANGS: none. */
static size_t
tag_find(struct slice tag)
{
	const char *dash = memchr(tag.p, '-', tag.len);
	size_t i;

	if (dash != NULL)
		tag.len = (size_t)(dash - tag.p);
	for (i = 0; i < NLANGS && !slice_caseeq(tag, slice_str(tags[i])); i++)
		;
	return (i);
}

const char *
lang_pick(struct slice accept)
{
	struct slice element;
	size_t i, best = 0;
	int weight, most = 0;

	while (accept.p != NULL && http_list_next(&accept, &element)) {
		weight = http_weight(&element);
		i = tag_find(element);
		if (slice_eq(element, SLICE("*")))
			i = 0;
		/* Of two that are as good, the first. */
		if (i < NLANGS && weight > most) {
			most = weight;
			best = i;
		}
	}
	return (tags[best]);
}

const char *
lang_text(const char *lang, const char *english)
{
	size_t i = tag_find(slice_str(lang));

	for (size_t k = 0; i < NLANGS && k < sizeof(texts) / sizeof(texts[0]); k++)
		if (strcmp(texts[k][0], english) == 0)
			return (texts[k][i]);
	return (english);
}
