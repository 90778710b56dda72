/*
 * Rows of conf_test.c: a text, a -D, variables, and the lines of error that
 * they give, all of them.
 */
/* clang-format off */

/* keywords */
{ OK "spear 3", NULL, NULL, {
  "t:2: expected a keyword, got \"spear\"" } },
{ OK "hedaers strict", NULL, NULL, {
  "t:2: expected a keyword, got \"hedaers\"; did you mean \"headers\"?" } },
{ "lisen on * port 1 redirect", NULL, NULL, {
  "t:1: expected a keyword, got \"lisen\"; did you mean \"listen\"?" } },
{ OK "spare 3", NULL, NULL, {
  "t:2: expected a keyword, got \"spare\"; it is a keyword of the block \"prefork\"" } },
{ OK "helpers 3", NULL, NULL, {
  "t:2: expected a keyword, got \"helpers\"; it is an option of \"argon2\"" } },
{ OK "prefork {\n\tdata \"/x\"\n\tspair 1\n}", NULL, NULL, {
  "t:3: expected a keyword of the block \"prefork\", got \"data\"; it stands outside of blocks",
  "t:4: expected a keyword of the block \"prefork\", got \"spair\"; did you mean \"spare\"?" } },
{ OK "\"data\" \"/x\"", NULL, NULL, {
  "t:2: expected a keyword, got \"data\"" } },
{ OK "=\n,\n{ data }\n", NULL, NULL, {
  "t:2: expected a keyword, got \"=\"",
  "t:3: expected a keyword, got \",\"" } },
{ OK "data \"/x\"\ndata \"/y\"", NULL, NULL, {
  "t:3: expected \"data\" once, got it again; the first is in t:2" } },
{ OK "tls { }\ntls {\n\tkey \"/k\"\n}\n", NULL, NULL, {
  "t:3: expected \"tls\" once, got it again; the first is in t:2" } },
{ OK "prefork { spare 1; spare 2 }", NULL, NULL, {
  "t:2: expected \"spare\" once, got it again; the first is in t:2" } },
{ OK "data \"/x\" \"/y\"", NULL, NULL, {
  "t:2: expected the end of the line after \"data\", got \"/y\"" } },
{ OK "data", NULL, NULL, {
  "t:2: expected an absolute path after \"data\", got the end of the file" } },

{ OK "ide \"code\" { gallery \"http://a/\" }", NULL, NULL, {
  "t:2: expected an address such as \"https://example.com/feed\" after \"gallery\", got \"http://a/\"" } },
{ OK "ide \"code\" { gallery \"https://a/\" as other }", NULL, NULL, {
  "t:2: expected open-vsx or code-marketplace after \"as\", got \"other\"" } },
{ OK "ide \"code\" { extension \"golang.go\" }", NULL, NULL, {
  "t:2: expected allow or deny after \"extension\", got \"golang.go\"" } },
{ OK "ide \"code\" { extension allow }", NULL, NULL, {
  "t:2: expected a publisher or an extension, such as \"golang\" or \"golang.go\", after \"allow\", got \"}\"" } },
{ OK "ide {\n extension deny \"\"\n extension deny \"a b\"\n extension deny \"a.b.c\"\n extension deny a.\n extension deny .b\n extension deny \"*\"\n}", NULL, NULL, {
  "t:3: expected a publisher or an extension, such as \"golang\" or \"golang.go\", after \"deny\", got \"\"",
  "t:4: expected a publisher or an extension, such as \"golang\" or \"golang.go\", after \"deny\", got \"a b\"",
  "t:5: expected a publisher or an extension, such as \"golang\" or \"golang.go\", after \"deny\", got \"a.b.c\"",
  "t:6: expected a publisher or an extension, such as \"golang\" or \"golang.go\", after \"deny\", got \"a.\"",
  "t:7: expected a publisher or an extension, such as \"golang\" or \"golang.go\", after \"deny\", got \".b\"",
  "t:8: expected a publisher or an extension, such as \"golang\" or \"golang.go\", after \"deny\", got \"*\"" } },
{ OK "ide {\n extension allow golang.go\n extension deny \"Golang.Go\"\n}", NULL, NULL, {
  "t:4: expected each once after \"extension\", got \"Golang.Go\"" } },
{ OK "update-check \"http://a/\"\nheaders strict", NULL, NULL, {
  "t:2: expected an address such as \"https://example.com/feed\" after \"update-check\", got \"http://a/\"" } },

{ OK "security-contact \"me@example.com\"", NULL, NULL, {
  "t:2: expected an address such as \"mailto:security@example.com\" after \"security-contact\", got \"me@example.com\"" } },
{ OK "security-contact \"mailto:a b\"", NULL, NULL, {
  "t:2: expected an address such as \"mailto:security@example.com\" after \"security-contact\", got \"mailto:a b\"" } },

/* the account of auth mode single */
{ OK "auth {\n\tmode single\n\taccount \"An n\"\n\tpassword-hash \"5e88\"\n}", NULL, NULL, {
  "t:4: expected a user name after \"account\": a lower-case letter, then letters, digits, \".\", \"_\" or \"-\", got An n",
  "t:5: expected an Argon2id hash that begins with \"$argon2id$v=19$\" after \"password-hash\"; or leave it out and use `idectl user passwd'" } },

/* blocks and recovery */
{ OK "tls\n{\n\tkey \"/k\"\n}\ndata x", NULL, NULL, {
  "t:2: expected \"{\" after \"tls\", got the end of the line",
  "t:6: expected an absolute path after \"data\", got \"x\"" } },
{ OK "tls certificate \"/c\"\ndata x", NULL, NULL, {
  "t:2: expected \"{\" after \"tls\", got \"certificate\"",
  "t:3: expected an absolute path after \"data\", got \"x\"" } },
{ OK "foo {\n\tbar {\n\t}\n\tbaz 1\n}\ndata x", NULL, NULL, {
  "t:2: expected a keyword, got \"foo\"",
  "t:7: expected an absolute path after \"data\", got \"x\"" } },
{ OK "foo\n{\n\tbar\n}\ndata x", NULL, NULL, {
  "t:2: expected a keyword, got \"foo\"",
  "t:6: expected an absolute path after \"data\", got \"x\"" } },
{ OK "prefork {\n\tspare 2\n\nheaders strict\n}\n", NULL, NULL, {
  "t:5: expected \"}\" to end the block \"prefork\" of t:2, got \"headers\"" } },
{ OK "prefork {\n\tspare 2\n", NULL, NULL, {
  "t:3: expected \"}\" to end the block \"prefork\" of t:2, got the end of the file" } },
{ OK "}\ndata x", NULL, NULL, {
  "t:2: expected a keyword, got \"}\"",
  "t:3: expected an absolute path after \"data\", got \"x\"" } },
{ OK "prefork {\n\tspare 0\n\tmax x\n\tbody\n}\nheaders lax\n", NULL, NULL, {
  "t:3: expected a number from 1 to 1024 after \"spare\", got \"0\"",
  "t:4: expected a number from 1 to 32768 after \"max\", got \"x\"",
  "t:5: expected a size from 1K to 1G after \"body\", got the end of the line; units are K, M, G and T",
  "t:7: expected strict, balanced or development after \"headers\", got \"lax\"" } },
{ OK "log to stderr {", NULL, NULL, {
  "t:2: expected to, level, format or the end of the line, got \"{\"" } },
{ OK "location {\n\troot /r\n}", NULL, NULL, {
  "t:2: expected a path such as \"/name/\" after \"location\", got \"{\"" } },
{ OK "isolation box {\n\tcpu 1\n}", NULL, NULL, {
  "t:2: expected namespace, directory or container after \"isolation\", got \"box\"",
  "t:3: expected a percentage from 1% to 409600% after \"cpu\", got \"1\"" } },

/* bytes, words, strings, macros */
{ OK "data \"/x", NULL, NULL, {
  "t:2: expected a '\"' to end the string, got the end of the line" } },
{ OK "ide \"code {\n\tpath x\n}", NULL, NULL, {
  "t:2: expected a '\"' to end the string, got the end of the line",
  "t:3: expected an absolute path after \"path\", got \"x\"" } },
{ OK "data \"/x\\y\"", NULL, NULL, {
  "t:2: expected '\"', '\\' or '$' after the '\\' in a string, got another character; write '\\\\' for a backslash" } },
{ OK "data \"/x\"#c\nprefork { spare 1#c\n}", NULL, NULL, {
  "t:3: expected a blank before a comment, got \"#\" in a word; quote the word if it is part of it" } },
{ OK "data \"/\xff\"", NULL, NULL, {
  "t:2: expected text in UTF-8, got the byte 0xff in column 8" } },
{ OK "# caf\xe9\ntls { # \xc0\x80\n\tkey k\n}", NULL, NULL, {
  "t:2: expected text in UTF-8, got the byte 0xe9 in column 6",
  "t:3: expected text in UTF-8, got the byte 0xc0 in column 9",
  "t:4: expected an absolute path after \"key\", got \"k\"" } },
{ OK "data \"/\xed\xa0\x80\"", NULL, NULL, {
  "t:2: expected text in UTF-8, got the byte 0xed in column 8" } },
{ OK "data \x1b[1m", NULL, NULL, {
  "t:2: expected text, got the control character 0x1b in column 6" } },
{ OK "d\xc3\xa4ta \"/x\"", NULL, NULL, {
  "t:2: expected a keyword, got \"d\\xc3\\xa4ta\"; did you mean \"data\"?" } },
{ OK "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, NULL, {
  "t:2: expected a keyword, got \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"" } },
{ OK "domain = \"a\"\ndata \"/$domian\"", NULL, NULL, {
  "t:3: expected a macro that is defined, got \"domian\"; did you mean \"domain\"?" } },
{ OK "data \"/$x\"", NULL, NULL, {
  "t:2: expected a macro that is defined, got \"x\"; define it above, or write \"\\$\" for a dollar sign" } },
{ OK "data \"/$\"", NULL, NULL, {
  "t:2: expected the name of a macro after \"$\"; write \"\\$\" in a string for a dollar sign" } },
{ OK "data \"/${x\"", NULL, NULL, {
  "t:2: expected the name of a macro after \"$\" in braces; write \"\\$\" in a string for a dollar sign" } },
{ OK "a = \"x\"\na = \"y\"", NULL, NULL, {
  "t:3: expected the macro \"a\" once, got it again; the first is in t:2" } },
{ OK "a =\ndata $a", NULL, NULL, {
  "t:2: expected a value for the macro \"a\", got the end of the line" } },
{ OK "a = b c\n", NULL, NULL, {
  "t:2: expected the end of the line after the macro \"a\", got \"c\"; put several words into quotes" } },
{ OK "a-b = c\n", NULL, NULL, {
  "t:2: expected the name of a macro before \"=\", got \"a-b\"; macros have names of letters, digits and \"_\" and stand outside of blocks" } },
{ OK "tls { a = c\n}", NULL, NULL, {
  "t:2: expected the name of a macro before \"=\", got \"a\"; macros have names of letters, digits and \"_\" and stand outside of blocks" } },
{ OK "data = \"/x\"", NULL, NULL, {
  "t:2: expected a value after \"data\", got \"=\"; keywords take no \"=\" and macros no name of a keyword" } },
{ OK "data $a\n", "a=x", NULL, {
  "t:2: expected an absolute path after \"data\", got \"x\"" } },
{ OK, "a=x", NULL, {
  "-D a: expected a macro of the configuration, got one that it does not have" } },
{ OK "domain = x", "domian=x", NULL, {
  "-D domian: expected a macro of the configuration, got one that it does not have; did you mean \"domain\"?" } },
{ OK, "a-b=x", NULL, {
  "-D a-b: expected the name of a macro, of letters, digits and \"_\", got another" } },
{ OK, "data=x", NULL, {
  "-D data: expected the name of a macro, got a keyword" } },
{ OK "data $a", "a=/\n", NULL, {
  "-D a: expected a value of at most 1023 bytes of text, got another",
  "t:2: expected a macro that is defined, got \"a\"; define it above, or write \"\\$\" for a dollar sign" } },
{ OK "include \"x\"", NULL, NULL, {
  "t:2: expected no include in a text that is no file, got one" } },
{ OK "include\n", NULL, NULL, {
  "t:2: expected a file name after \"include\", got the end of the line" } },

/* folders in sandboxes */
{ OK "isolation namespace { bind }", NULL, NULL, {
  "t:2: expected an absolute path after \"bind\", got \"}\"" } },
{ OK "isolation namespace { bind srv }", NULL, NULL, {
  "t:2: expected an absolute path after \"bind\", got \"srv\"" } },
{ OK "isolation namespace { bind /srv/../etc }", NULL, NULL, {
  "t:2: expected a path without \"..\" after \"bind\", got \"/srv/../etc\"" } },
{ OK "isolation namespace { bind /srv readonly }", NULL, NULL, {
  "t:2: expected read-only, read-write or the end of the line after \"bind\", got \"readonly\"" } },
{ OK "isolation namespace { bind /srv read-only read-write }", NULL, NULL, {
  "t:2: expected read-only, read-write or the end of the line after \"bind\", got \"read-write\"" } },
{ OK "isolation namespace { bind /\nbind /etc\n bind /tmp/x/\n bind /sys/fs/cgroup }", NULL, NULL, {
  "t:2: expected a path that a sandbox does not have of its own after \"bind\", got \"/\"; / there is the sandbox's",
  "t:3: expected a path that a sandbox does not have of its own after \"bind\", got \"/etc\"; /etc there is the sandbox's",
  "t:4: expected a path that a sandbox does not have of its own after \"bind\", got \"/tmp/x\"; /tmp there is the sandbox's",
  "t:5: expected a path that a sandbox does not have of its own after \"bind\", got \"/sys/fs/cgroup\"; /sys there is the sandbox's" } },
{ OK "isolation namespace { bind /srv\nbind /srv/a read-write\nbind /srv\nbind /srvx }", NULL, NULL, {
  "t:3: expected paths apart from one another after \"bind\", got \"/srv\" and \"/srv/a\"",
  "t:4: expected paths apart from one another after \"bind\", got \"/srv\" and \"/srv\"" } },
{ OK "data /srv/ided\nruntime /a/b\nisolation namespace { bind /srv\nbind /a/b/c }", NULL, NULL, {
  "t:4: expected a path apart from \"data\", which is /srv/ided, after \"bind\", got \"/srv\"",
  "t:5: expected a path apart from \"runtime\", which is /a/b, after \"bind\", got \"/a/b/c\"" } },
{ OK "isolation namespace { user-namespaces yes }", NULL, NULL, {
  "t:2: expected deny or allow after \"user-namespaces\", got \"yes\"" } },
{ OK "isolation namespace { user-namespaces allow\nrequire landlock }", NULL, NULL, {
  "t:3: expected \"user-namespaces deny\" with \"require landlock\", got allow; Landlock for files and mounts of one's own exclude each other" } },

/* numbers */
{ OK "prefork { spare -1 }", NULL, NULL, {
  "t:2: expected a number from 1 to 1024 after \"spare\", got \"-1\"" } },
{ OK "prefork { spare 18446744073709551617 }", NULL, NULL, {
  "t:2: expected a number from 1 to 1024 after \"spare\", got \"18446744073709551617\"" } },
{ OK "prefork { spare 1K }", NULL, NULL, {
  "t:2: expected a number from 1 to 1024 after \"spare\", got \"1K\"" } },
{ OK "prefork { body 99999999999999T }", NULL, NULL, {
  "t:2: expected a size from 1K to 1G after \"body\", got \"99999999999999T\"; units are K, M, G and T" } },
{ OK "prefork { idle-timeout 75 }", NULL, NULL, {
  "t:2: expected a duration from 1s to 1d after \"idle-timeout\", got \"75\"; units are s, m, h, d and w" } },
{ OK "prefork { startups 1:101:5 }", NULL, NULL, {
  "t:2: expected begin:percent:full, numbers from 1 to 32768 and a percent from 1 to 100, after \"startups\", got \"1:101:5\"" } },
{ OK "prefork { startups 6:10:5 }", NULL, NULL, {
  "t:2: expected begin:percent:full with begin not above full after \"startups\", got \"6:10:5\"" } },
{ OK "ratelimit { login 5 15m }", NULL, NULL, {
  "t:2: expected \"per\" after \"login\", got \"15m\"" } },
{ OK "ratelimit { api 0 per 15m; web 5 per 2d }", NULL, NULL, {
  "t:2: expected a number from 1 to 1000000 after \"api\", got \"0\"",
  "t:2: expected a duration from 1s to 1d after \"per\", got \"2d\"; units are s, m, h, d and w" } },
{ OK "auth { password min 1025 }", NULL, NULL, {
  "t:2: expected a number from 8 to 1024 after \"min\", got \"1025\"" } },
{ OK "auth { argon2 memory 18M\n argon2 helpers 5 }", NULL, NULL, {
  "t:2: expected a size from 19M to 4G after \"memory\", got \"18M\"; units are K, M, G and T",
  "t:3: expected \"argon2\" once, got it again; the first is in t:2" } },
{ OK "auth { argon2 helpers 0 }", NULL, NULL, {
  "t:2: expected a number from 1 to 4 after \"helpers\", got \"0\"" } },
{ OK "auth { password }", NULL, NULL, {
  "t:2: expected min or classes after \"password\", got \"}\"" } },
{ OK "auth { password min 12 clases 3 }", NULL, NULL, {
  "t:2: expected min, classes or the end of the line, got \"clases\"; did you mean \"classes\"?" } },
{ OK "auth { password min 12 min 13 }", NULL, NULL, {
  "t:2: expected \"min\" once in a statement, got \"min\"" } },
{ OK "auth { password min 12,\n}", NULL, NULL, {
  "t:2: expected min, classes or the end of the line, got the end of the line" } },
{ OK "auth { mode mutli }", NULL, NULL, {
  "t:2: expected multi, single or none after \"mode\", got \"mutli\"" } },
{ "listen on * port 443 tls proxy-protocol\n", NULL, NULL, {
  "t:1: expected the addresses of the proxies (\"from 192.0.2.1\") with \"proxy-protocol\", got none for * port 443" } },
{ "listen on * port 443 tls from 192.0.2.1\n", NULL, NULL, {
  "t:1: expected \"proxy-protocol\" with \"from\", got none" } },
{ "listen on * port 443 tls proxy-protocol from here\n", NULL, NULL, {
  "t:1: expected an address such as 192.0.2.0/24 or 2001:db8::1 after \"from\", got \"here\"" } },
{ OK "compression brotli 12", NULL, NULL, {
  "t:2: expected a number from 0 to 11 after \"brotli\", got \"12\"" } },
{ OK "compression", NULL, NULL, {
  "t:2: expected zstd, brotli, gzip, minimum or off after \"compression\", got the end of the file" } },
{ OK "tls { protocols \"tlsv1.1 tlsv1.2\" }", NULL, NULL, {
  "t:2: expected tlsv1.2, tlsv1.3 or both after \"protocols\", got \"tlsv1.1 tlsv1.2\"" } },
{ OK "isolation { require seccomp, cgruop }", NULL, NULL, {
  "t:2: expected seccomp, cgroup, landlock, storage or network after \"require\", got \"cgruop\"" } },
{ OK "isolation { io-weight 0 }", NULL, NULL, {
  "t:2: expected a number from 1 to 1000 after \"io-weight\", got \"0\"" } },
{ OK "isolation { io-read 0 }", NULL, NULL, {
  "t:2: expected a size from 64K to 1T after \"io-read\", got \"0\"; units are K, M, G and T" } },

/* users */
{ OK "isolation { network-pool 10.0.0.0/31 }", NULL, NULL, {
  "t:2: expected an IPv4 network of length 8 to 30, such as 100.64.0.0/10, after \"network-pool\", got \"10.0.0.0/31\"" } },
{ OK "isolation { network-pool fd00::/64 }", NULL, NULL, {
  "t:2: expected an IPv4 network of length 8 to 30, such as 100.64.0.0/10, after \"network-pool\", got \"fd00::/64\"" } },
{ OK "isolation { network-pool 10/8 fd00::/97 }", NULL, NULL, {
  "t:2: expected an IPv6 network of length 8 to 96, such as fd69:6465:6400::/64, after \"network-pool\", got \"fd00::/97\"" } },
{ OK "isolation { network-pool 10.1.0.0/16\n uids 200000:65537 }", NULL, NULL, {
  "t:3: expected a \"network-pool\" with an address for each of \"uids\", which are 65537, got one of 65536; give it a shorter length" } },
{ OK "isolation {\n require network\n network none\n}", NULL, NULL, {
  "t:4: expected \"isolation namespace\" and \"network private\" with \"require network\", got another" } },
{ OK "isolation directory { require network }", NULL, NULL, {
  "t:2: expected \"isolation namespace\" and \"network private\" with \"require network\", got another" } },
{ OK "isolation { resolver 10.0.0.0/8 }", NULL, NULL, {
  "t:2: expected none or the address of a name server after \"resolver\", got \"10.0.0.0/8\"" } },
{ OK "isolation { resolver 1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4 }", NULL, NULL, {
  "t:2: expected at most 3 addresses after \"resolver\", got \"4.4.4.4\"" } },
{ OK "isolation { egress permit to any }", NULL, NULL, {
  "t:2: expected allow or deny after \"egress\", got \"permit\"" } },
{ OK "isolation {\n egress allow any\n egress deny to\n egress deny to example.com\n}", NULL, NULL, {
  "t:3: expected \"to\" after \"allow\", got \"any\"",
  "t:4: expected an address such as 192.0.2.0/24 or 2001:db8::1 after \"to\", got the end of the line",
  "t:5: expected an address such as 192.0.2.0/24 or 2001:db8::1 after \"to\", got \"example.com\"" } },
{ OK "isolation {\n egress allow to 10.1.2.3/8\n egress allow to 10.0.0.0/33\n egress allow to ::ffff:1.2.3.4\n egress allow to 1.2.3\n}", NULL, NULL, {
  "t:3: expected an address such as 192.0.2.0/24 or 2001:db8::1 after \"to\", got \"10.1.2.3/8\"; the address has bits beyond its length",
  "t:4: expected an address such as 192.0.2.0/24 or 2001:db8::1 after \"to\", got \"10.0.0.0/33\"; lengths are from 0 to 32",
  "t:5: expected an address such as 192.0.2.0/24 or 2001:db8::1 after \"to\", got \"::ffff:1.2.3.4\"; write it as the IPv4 address that it is",
  "t:6: expected an address such as 192.0.2.0/24 or 2001:db8::1 after \"to\", got \"1.2.3\"" } },
{ OK "isolation {\n egress allow to any port 0\n egress allow to any port 9-8\n egress allow to any port x\n egress allow to any port 70000\n}", NULL, NULL, {
  "t:3: expected a port, or a range of ports such as 8000-8080, after \"port\", got \"0\"",
  "t:4: expected a port, or a range of ports such as 8000-8080, after \"port\", got \"9-8\"",
  "t:5: expected a port, or a range of ports such as 8000-8080, after \"port\", got \"x\"",
  "t:6: expected a port, or a range of ports such as 8000-8080, after \"port\", got \"70000\"" } },
{ OK "isolation {\n egress allow to any tcp udp\n egress allow to any port 1 port 2\n egress allow to any icmp\n}", NULL, NULL, {
  "t:3: expected the end of the line after \"egress\", got \"udp\"",
  "t:4: expected the end of the line after \"egress\", got \"port\"",
  "t:5: expected the end of the line after \"egress\", got \"icmp\"" } },
{ OK "isolation {\n egress deny to <a>\n egress deny to <b b>\n egress deny to <>\n}", NULL, NULL, {
  "t:4: expected the name of a table, such as <internal>, after \"to\", got \"<b\"",
  "t:5: expected the name of a table, such as <internal>, after \"to\", got \"<>\"",
  "t:3: expected a table <a>, which this rule is about, got none; add: table <a> { 192.0.2.0/24 }" } },
{ OK "isolation {\n table a { 10/8 }\n table <b> { 10/8, x,\n 10/99 }\n table <b> { }\n table <c> 10/8\n table <d> file x\n cpu 9\n}", NULL, NULL, {
  "t:3: expected the name of a table, such as <internal>, after \"table\", got \"a\"",
  "t:4: expected an address such as 192.0.2.0/24 or 2001:db8::1 after \"{\", got \"x\"",
  "t:5: expected an address such as 192.0.2.0/24 or 2001:db8::1 after \"{\", got \"10/99\"; lengths are from 0 to 32",
  "t:6: expected the table <b> once, got \"{\"",
  "t:7: expected \"{\" or file after \"<c>\", got \"10/8\"",
  "t:8: expected an absolute path after \"file\", got \"x\"",
  "t:9: expected a percentage from 1% to 409600% after \"cpu\", got \"9\"" } },
{ OK "isolation {\n table <a> {\n 10/8\n", NULL, NULL, {
  "t:4: expected \"}\" to end the table <a>, got the end of the file",
  "t:4: expected \"}\" to end the block \"isolation\" of t:2, got the end of the file" } },
{ OK "isolation { uids 999:1 }", NULL, NULL, {
  "t:2: expected first:count, users from 1000 to 4294967293, after \"uids\", got \"999:1\"; below 1000 are accounts of the system" } },
{ OK "isolation { uids 200000:4294967295 }", NULL, NULL, {
  "t:2: expected first:count, users from 1000 to 4294967293, after \"uids\", got \"200000:4294967295\"; the last one is above 4294967293" } },
{ OK "isolation { uids 60000:10000 }", NULL, NULL, {
  "t:2: expected first:count, users from 1000 to 4294967293, after \"uids\", got \"60000:10000\"; 65534 and 65535 are nobody's: begin above them" } },
{ OK "isolation { uids 200000 }", NULL, NULL, {
  "t:2: expected first:count, users from 1000 to 4294967293, after \"uids\", got \"200000\"; such as 200000:65536" } },
{ OK "isolation { uids 200000:0 }", NULL, NULL, {
  "t:2: expected first:count, users from 1000 to 4294967293, after \"uids\", got \"200000:0\"; such as 200000:65536" } },

/* paths and names */
{ OK "data \"\"", NULL, NULL, {
  "t:2: expected an absolute path after \"data\", got \"\"" } },
{ OK "data \"/a/../b\"", NULL, NULL, {
  "t:2: expected a path without \"..\" after \"data\", got \"/a/../b\"" } },
{ OK "runtime /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, NULL, {
  "t:2: expected a path of at most 80 bytes after \"runtime\", got \"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"" } },
{ OK "data /x\nruntime /x/", NULL, NULL, {
  "t:3: expected two folders for \"data\" and \"runtime\", got one" } },
{ OK "proxy { domain \"ide.example.com\" }", NULL, NULL, {
  "t:2: expected a domain such as \"*.ide.example.com\" after \"domain\", got \"ide.example.com\"" } },
{ OK "proxy { ports 0:80 }", NULL, NULL, {
  "t:2: expected first:last, ports from 1 to 65535, after \"ports\", got \"0:80\"; such as 1024:65535" } },
{ OK "proxy { ports 80 }", NULL, NULL, {
  "t:2: expected first:last, ports from 1 to 65535, after \"ports\", got \"80\"; such as 1024:65535" } },
{ OK "proxy { ports 81:80 }", NULL, NULL, {
  "t:2: expected first:last, ports from 1 to 65535, after \"ports\", got \"81:80\"; such as 1024:65535" } },
{ OK "proxy { ports 1:65536 }", NULL, NULL, {
  "t:2: expected first:last, ports from 1 to 65535, after \"ports\", got \"1:65536\"; such as 1024:65535" } },
{ OK "proxy { ports a:b }", NULL, NULL, {
  "t:2: expected first:last, ports from 1 to 65535, after \"ports\", got \"a:b\"; such as 1024:65535" } },
{ OK "proxy { ports 80: }", NULL, NULL, {
  "t:2: expected first:last, ports from 1 to 65535, after \"ports\", got \"80:\"; such as 1024:65535" } },
{ OK "ide \"a/b\" { }", NULL, NULL, {
  "t:2: expected a name of letters, digits, '-', '_' and '.' after \"ide\", got \"a/b\"" } },
{ OK "log to file format json", NULL, NULL, {
  "t:2: expected an absolute path after \"to file\", got \"format\"" } },

/* listeners */
{ "", NULL, NULL, {
  "t:1: expected a listener, got none; add: listen on * port 443 tls" } },
{ "metrics on ::1 port 9464\n", NULL, NULL, {
  "t:1: expected a listener, got none; add: listen on * port 443 tls" } },
{ "listen * port 443 tls", NULL, NULL, {
  "t:1: expected \"on\" after \"listen\", got \"*\"" } },
{ "listen on localhost port 80", NULL, NULL, {
  "t:1: expected an IPv4 or IPv6 address, * or unix after \"on\", got \"localhost\"" } },
{ "listen on ::ffff:1.2.3.4 port 80 redirect", NULL, NULL, {
  "t:1: expected an IPv4 or IPv6 address after \"on\", got \"::ffff:1.2.3.4\"; write it as the IPv4 address that it is" } },
{ "listen on * tls", NULL, NULL, {
  "t:1: expected \"port\" after \"on\", got \"tls\"" } },
{ "listen on * port 0 redirect\nlisten on * port 65536 redirect", NULL, NULL, {
  "t:1: expected a port from 1 to 65535 after \"port\", got \"0\"",
  "t:2: expected a port from 1 to 65535 after \"port\", got \"65536\"" } },
{ "listen on * port 80 tsl", NULL, NULL, {
  "t:1: expected tls, redirect, proxy-protocol, from or the end of the line, got \"tsl\"; did you mean \"tls\"?" } },
{ "listen on * port 80", NULL, NULL, {
  "t:1: expected tls or redirect, for plain HTTP is served on loopback and unix only, got * port 80" } },
{ "listen on fe80::1 port 80", NULL, NULL, {
  "t:1: expected tls or redirect, for plain HTTP is served on loopback and unix only, got fe80::1 port 80" } },
{ "listen on * port 80 tls redirect", NULL, NULL, {
  "t:1: expected tls or redirect for one listener, got both" } },
{ "listen on unix \"s\"", NULL, NULL, {
  "t:1: expected an absolute path after \"unix\", got \"s\"" } },
{ OK OK, NULL, NULL, {
  "t:2: expected an address that t:1 does not take already, got 127.0.0.1 port 8080; \"*\" takes all of IPv4 and IPv6" } },
{ "listen on * port 80 redirect\nlisten on 0.0.0.0 port 80 redirect", NULL, NULL, {
  "t:2: expected an address that t:1 does not take already, got 0.0.0.0 port 80; \"*\" takes all of IPv4 and IPv6" } },
{ "listen on 0.0.0.0 port 80 redirect\nlisten on 1.2.3.4 port 80 redirect", NULL, NULL, {
  "t:2: expected an address that t:1 does not take already, got 1.2.3.4 port 80; \"*\" takes all of IPv4 and IPv6" } },
{ "listen on unix /s\nlisten on unix /s/", NULL, NULL, {
  "t:2: expected an address that t:1 does not take already, got unix \"/s\"; \"*\" takes all of IPv4 and IPv6" } },
{ OK "metrics on 127.0.0.1 port 8080", NULL, NULL, {
  "t:2: expected an address that t:1 does not take already, got 127.0.0.1 port 8080; \"*\" takes all of IPv4 and IPv6" } },
{ OK "metrics on * port 9464", NULL, NULL, {
  "t:2: expected an address of loopback or unix for metrics, which are plain HTTP, got * port 9464" } },
{ "\nlisten on * port 443 tls\nlisten on ::1 port 444 tls", NULL, NULL, {
  "t:2: expected \"certificate\" in the block \"tls\" for this listener, got none; add certificate \"/path\" there",
  "t:2: expected \"key\" in the block \"tls\" for this listener, got none; add key \"/path\" there" } },
{ "listen on * port 443 tls\ntls {\n\tcertificate c\n\tkye /k\n}", NULL, NULL, {
  "t:3: expected an absolute path after \"certificate\", got \"c\"",
  "t:4: expected a keyword of the block \"tls\", got \"kye\"; did you mean \"key\"?" } },
{ "auth { mode none }\nlisten on * port 80 redirect", NULL, NULL, {
  "t:2: expected an address of loopback or unix, as auth mode none lets everyone in, got * port 80" } },

/* values that do not agree */
{ OK "prefork {\n\tspare 5\n\tmax 4\n}", NULL, NULL, {
  "t:4: expected \"spare\" not above \"max\", which is 4, got 5; lower the one or raise the other" } },
{ OK "prefork {\n\tmax 4\n}", NULL, NULL, {
  "t:3: expected \"spare\" not above \"max\", which is 4, got 16; lower the one or raise the other" } },
{ OK "auth {\n\tsession idle 2h lifetime 90m\n}", NULL, NULL, {
  "t:3: expected \"idle\" not above \"lifetime\", which is 90m, got 2h; lower the one or raise the other" } },
{ OK "auth {\n\ttoken access 8d\n}", NULL, NULL, {
  "t:3: expected \"access\" not above \"refresh\", which is 1w, got 8d; lower the one or raise the other" } },
{ OK "proxy {\n\tshare users\n}", NULL, NULL, {
  "t:3: expected \"share off\" without a \"domain\" in the block \"proxy\", got one that lets others in; "
  "a shared port needs an address of its own: add domain \"*.ide.example.com\" there" } },
{ OK "proxy {\n\tdomain \"*.a.example\"\n\tshare public\n}\nisolation { network host }", NULL, NULL, {
  "t:4: expected \"share off\" where sandboxes have no network of their own, got one that lets others in" } },
{ OK "proxy { share all }", NULL, NULL, {
  "t:2: expected off, users or public after \"share\", got \"all\"" } },
{ OK "isolation {\n\tmemory-warn 95% critical 95%\n}", NULL, NULL, {
  "t:3: expected \"memory-warn\" below \"critical\", which is 95%, got 95%; lower the one or raise the other" } },
{ OK "proxy { pool 9 }", NULL, NULL, {
  "t:2: expected \"idle\" not above \"pool\", which is 9, got 10; lower the one or raise the other" } },
{ OK "prefork {\n\tmax 4\n}", NULL, "IDED_PREFORK_SPARE=5", {
  "environment IDED_PREFORK_SPARE: expected \"spare\" not above \"max\", which is 4, got 5; lower the one or raise the other" } },

/* locations */
{ OK "location /a/ { }", NULL, NULL, {
  "t:2: expected \"proxy\" or \"root\" in the block \"location\", got none" } },
{ OK "location /a/ { root /r; proxy to unix /s }", NULL, NULL, {
  "t:2: expected \"proxy\" or \"root\" in the block \"location\", got both" } },
{ OK "location /a/ { root /r }\nlocation /a/ { root /s }", NULL, NULL, {
  "t:3: expected the location \"/a/\" once, got it again; the first is in t:2" } },
{ OK "location /ide/x/ { root /r }", NULL, NULL, {
  "t:2: expected a path that ided does not serve itself after \"location\", got \"/ide/x/\"" } },
{ OK "location /a/../b/ { root /r }", NULL, NULL, {
  "t:2: expected a path such as \"/name/\" after \"location\", got \"/a/../b/\"" } },
{ OK "location /a/ { proxy to \"a b\" port 5 }", NULL, NULL, {
  "t:2: expected a host, an address or unix after \"to\", got \"a b\"" } },
{ OK "location /a/ { root /r; header \"X\" }", NULL, NULL, {
  "t:2: expected \"Name: value\" after \"header\", got \"X\"" } },
{ OK "location /a/ { root /r; header \"X: y\" }", NULL, NULL, {
  "t:2: expected \"header\" with \"proxy\", got it with \"root\"" } },
{ OK "location /a/ { root /r; rewrite / }", NULL, NULL, {
  "t:2: expected \"rewrite\" with \"proxy\", got it with \"root\"" } },
{ OK "location /a/ { proxy to a.b port 5; header \"X-Ided-User: y\" }", NULL, NULL, {
  "t:2: expected a header that ided does not set itself after \"header\", got \"X-Ided-User: y\"" } },
{ OK "location /a/ { proxy to a.b port 5; header \"content-LENGTH: 5\" }", NULL, NULL, {
  "t:2: expected a header that ided does not set itself after \"header\", got \"content-LENGTH: 5\"" } },
{ OK "location /a/ { proxy to a.b port 5 ca /c }", NULL, NULL, {
  "t:2: expected \"tls\" with \"ca\", got \"proxy\" without it" } },
{ OK "location /a/ { proxy to a.b port 5 name c }", NULL, NULL, {
  "t:2: expected \"tls\" with \"name\", got \"proxy\" without it" } },
{ OK "location /Login/ { root /r }", NULL, NULL, {
  "t:2: expected a path that ided does not serve itself after \"location\", got \"/Login/\"" } },
{ OK "location /a/ { root /r }\nlocation /A/ { root /s }", NULL, NULL, {
  "t:3: expected the location \"/A/\" once, got it again; the first is in t:2" } },
{ OK "location /a/ { root /r; require role x }", NULL, NULL, {
  "t:2: expected a role that there is after \"require role\" in the location \"/a/\", got \"x\"" } },
{ OK "data /d\nlocation /a/ { root /d/home }", NULL, NULL, {
  "t:3: expected a path apart from \"data\", which is /d, after \"root\", got \"/d/home\"" } },

/* the environment */
{ OK, NULL, "IDED_PREFORK_SPAIR=3", {
  "environment IDED_PREFORK_SPAIR: expected the variable of a keyword, got one that ided does not know; did you mean IDED_PREFORK_SPARE?" } },
{ OK, NULL, "IDED_X=3", {
  "environment IDED_X: expected the variable of a keyword, got one that ided does not know" } },
{ OK, NULL, "IDED_PREFORK_SPARE=", {
  "environment IDED_PREFORK_SPARE: expected a number from 1 to 1024 after \"spare\", got the end of the value" } },
{ OK "isolation {\n\tstorage 2G by disk\n}", NULL, NULL, {
  "t:3: expected quota, volume or accounting after \"by\", got \"disk\"" } },
{ OK "isolation {\n\tstorage 2G quota\n}", NULL, NULL, {
  "t:3: expected by or the end of the line, got \"quota\"" } },
{ OK "isolation {\n\tstorage 1K\n\tfiles 5\n\tskel \"x\"\n}", NULL, NULL, {
  "t:3: expected a size from 1M to 1024T after \"storage\", got \"1K\"; units are K, M, G and T",
  "t:4: expected a number from 1000 to 1000000000 after \"files\", got \"5\"",
  "t:5: expected an absolute path after \"skel\", got \"x\"" } },
{ OK "limits { memory 1G }", NULL, NULL, {
  "t:2: expected role or user after \"limits\", got \"{\"" } },
{ OK "limits group x { memory 1G }", NULL, NULL, {
  "t:2: expected role or user after \"limits\", got \"group\"" } },
{ OK "role permit users.read", NULL, NULL, {
  "t:2: expected \"permit\" after \"permit\", got \"users.read\"" } },
{ OK "role admin permit users.read\nrole Big permit users.read", NULL, NULL, {
  "t:2: expected the name of a new role after \"role\", got \"admin\"; this one is built in",
  "t:3: expected the name of a role after \"role\", got \"Big\"" } },
{ OK "role a permit users.raed\nrole b permit\nrole c users.read", NULL, NULL, {
  "t:2: expected a permission after \"permit\", got \"users.raed\"; did you mean \"users.read\"?",
  "t:3: expected a permission after \"permit\", got the end of the line; ided.conf(5) lists them",
  "t:4: expected \"permit\" after \"c\", got \"users.read\"" } },
{ OK "role a permit ide.use\nrole a permit ide.use", NULL, NULL, {
  "t:3: expected the role \"a\" once, got \"a\"" } },
{ OK "limits role { memory 1G }", NULL, NULL, {
  "t:2: expected the name of a role after \"role\", got \"{\"" } },
{ OK "limits user \"Ann\" { memory 1G }", NULL, NULL, {
  "t:2: expected the name of a user after \"user\", got \"Ann\"" } },
{ OK "limits user abcdefghijklmnopqrstuvwxyzabcdefg { memory 1G }", NULL, NULL, {
  "t:2: expected the name of a user after \"user\", got \"abcdefghijklmnopqrstuvwxyzabcdefg\"" } },
{ OK "limits user ann { }", NULL, NULL, {
  "t:2: expected a limit in the block \"limits\", got none" } },
{ OK "limits user ann { memory 1K }", NULL, NULL, {
  "t:2: expected a size from 64M to 64T after \"memory\", got \"1K\"; units are K, M, G and T" } },
{ OK "limits user ann { memory 1G memory 2G }", NULL, NULL, {
  "t:2: expected \"memory\" once, got it again; the first is in t:2" } },
{ OK "limits user ann { memory 1G network none }", NULL, NULL, {
  "t:2: expected the end of the line after \"memory\", got \"network\"" } },
{ OK "limits user ann {\n\tidle-stop 1h\n}", NULL, NULL, {
  "t:3: expected a keyword of the block \"limits\", got \"idle-stop\"; it is a keyword of the block \"isolation\"",
  "t:2: expected a limit in the block \"limits\", got none" } },
{ OK "limits user ann { cpu 5% }\nlimits user bob { cpu 5% }\nlimits user ann { cpu 6% }", NULL, NULL, {
  "t:4: expected the limits of user \"ann\" once, got them again; the first are in t:2" } },
{ OK, NULL, "IDED_PREFORK_SPARE=3 4", {
  "environment IDED_PREFORK_SPARE: expected the end of the value after \"spare\", got \"4\"" } },
{ OK, NULL, "IDED_PREFORK_SPARE=3; max 4", {
  "environment IDED_PREFORK_SPARE: expected the end of the value after \"spare\", got \";\"" } },
{ OK, NULL, "IDED_PREFORK_SPARE=3|IDED_PREFORK_SPARE=3", {
  "environment IDED_PREFORK_SPARE: expected the variable once, got it again" } },
{ OK, NULL, "IDED_LOG=to stdout", {
  "environment IDED_LOG: expected stderr, syslog or file after \"to\", got \"stdout\"" } },
{ OK, NULL, "IDED_LOG=level debug }", {
  "environment IDED_LOG: expected to, level, format or the end of the value, got \"}\"" } },
{ OK, NULL, "IDED_DATA=x", {
  "environment IDED_DATA: expected an absolute path after \"data\", got \"x\"" } },
{ OK, NULL, "IDED_DATA=/\n", {
  "environment IDED_DATA: expected text, got the control character 0x0a in column 2" } },
{ OK, NULL, "IDED_DATA=\"/x", {
  "environment IDED_DATA: expected a '\"' to end the string, got the end of the value" } },
{ OK, NULL, "IDED_LISTEN=on * port 80", {
  "environment IDED_LISTEN: expected tls or redirect, for plain HTTP is served on loopback and unix only, got * port 80" } },
{ OK "brand {\n accent \"#12345\"\n background \"#1234567\"\n}", NULL, NULL, {
  "t:3: expected a colour such as \"#2456a6\" after \"accent\", got \"#12345\"",
  "t:4: expected a colour such as \"#2456a6\" after \"background\", got \"#1234567\"" } },
{ OK "base-path /a", NULL, NULL, {
  "t:2: expected a path such as \"/name/\" after \"base-path\", got \"/a\"" } },
{ OK "data x", NULL, "IDED_DATA=/y", {
  "t:2: expected an absolute path after \"data\", got \"x\"" } },
    /* clang-format on */
