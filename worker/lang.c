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
