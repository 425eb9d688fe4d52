"""Words by what they do in an order, so that structure can be seen without knowing every phrase.

"ignore the previous line" and "disregard your earlier instructions" share few words, but one is DROP EARLIER
TEXT-UNIT and the other DROP YOUR EARLIER ORDERS: the classes tell who is told to do what. Trade-off: a word has one
class, its usual one.
"""

from __future__ import annotations

CLASSES: dict[str, str] = {
    "drop": "ignore ignoring disregard forget override overrule discard nullify void bypass neglect dismiss "
    "invalidate unlearn supersede circumvent "
    "disobey abandon overlook ignoriere ignorieren vergiss missachte umgehe ignora olvida oublie ignorez "
    "oubliez dimentica esqueça ignoriert negeer vergeet "
    "zignoruj zapomnij игнорируй забудь игнорировать abaikan lupakan ignorera glöm ignoruj zapomeň ignoră uită "
    "αγνόησε ξέχνα تجاهل انس",
    "earlier": "previous prior above earlier preceding initial original existing former foregoing "
    "aforementioned past old predefined vorherigen bisherigen "
    "ursprünglichen anteriores originales précédentes initiales precedenti iniziali iniciais vorige eerdere "
    "poprzednie предыдущие исходные önceki السابقة sebelumnya tidigare předchozí anterioare προηγούμενες",
    "order": "instruction instructions prompt prompts directive directives rule rules guideline guidelines "
    "command commands constraint constraints restriction "
    "restrictions policy policies programming protocol protocols limitation limitations anweisungen regeln "
    "richtlinien instrucciones reglas directrices consignes "
    "règles istruzioni regole instruções regras instructies instrukcje инструкции правила указания talimatları "
    "التعليمات निर्देशों instruksi instruktioner pokyny instrucțiunile οδηγίες systemprompt",
    "unit": "line lines row rows column columns cell cells paragraph sentence sentences word words whitespace "
    "space spaces comment comments header headers punctuation "
    "case file files example question e-mail email message page chapter section value values accent accents "
    "warning warnings error errors exception duplicates",
    "you": "you your yours yourself u ur du dein deine deinen deiner tu tus tes ton ta votre vos il tuo tue "
    "seu sua suas je jouw twój swoje твои свои свой senin votre",
    "me": "i me my mine we our us",
    "user": "user users customer human person client owner",
    "ai": "ai assistant assistants chatbot chatbots bot llm llms gpt chatgpt claude bard gemini copilot agent "
    "agents openai anthropic agi ki ia ии ИИ",
    "system": "system developer developers admin administrator root sudo superuser operator creator creators sysadmin",
    "reveal": "reveal show print repeat output display tell give dump leak disclose expose recite list spell "
    "echo quote return restate enumerate paste zeige gib "
    "muéstrame imprime affiche révèle mostrami ripeti mostre repita toon herhaal pokaż powtórz покажи выведи "
    "повтори tampilkan visa ukaž arată δείξε أظهر",
    "secret": "secret secrets hidden confidential password passwords passphrase credential credentials key "
    "keys token tokens code pin private geheime geheimes secreta secret segreta tajne секретный gizli",
    "send": "send forward upload post transmit email mail deliver submit export exfiltrate append sync fetch "
    "navigate browse visit click redirect sende envía envoie invia envie stuur wyślij отправь kirim skicka "
    "odešli trimite",
    "dest": "url link endpoint webhook server http https www ftp",
    "act": "delete remove wipe erase transfer wire pay purchase buy book approve grant execute run install "
    "disable unlock cancel merge invite add create update modify call invoke schedule",
    "say": "say respond reply answer write state claim respond antworte responde réponds rispondi odpowiedz",
    "only": "only just nothing solely exactly verbatim literally nur solo seulement apenas alleen только",
    "must": "must should shall need required have obliged mandatory always never will musst debes dois devi "
    "deve moet musisz должен",
    "not": "not no never don't dont without nor cannot won't kein keine nicht sin sans senza sem zonder bez "
    "без ohne ei",
    "now": "now instead immediately henceforth onwards onward today jetzt ahora maintenant ora agora nu teraz "
    "теперь artık sekarang",
    "new": "new real actual true updated next different neue nueva nouveau nuova nova nieuwe nowe новый",
    "task": "task tasks goal goals objective mission role job purpose assignment duty aufgabe tarea tâche "
    "compito tarefa taak zadanie задача",
    "mode": "mode dan jailbreak jailbroken unrestricted unfiltered uncensored developer-mode unlocked amoral "
    "unethical immoral unaligned unlimited freed unchained",
    "moral": "ethics ethical moral morals legal illegal law laws filter filters censorship safety restrictions "
    "disclaimer disclaimers warnings refuse refuses refusal harmful dangerous inappropriate offensive taboo",
    "play": "pretend roleplay role-play act simulate imagine imitate persona character impersonate immerse "
    "fictional hypothetical scenario become",
    "stay": "stay remain break character comply obey obeys complies obedient confirm acknowledge understood",
    "hide": "secretly silently quietly unnoticed covertly stealthily invisible conceal hide mention reveal disclose",
    "start": "begin start starting beginning first prefix end ending finish",
    "talk": "conversation chat session context history discussion dialogue",
    "alert": "important urgent attention critical note notice warning emergency immediate achtung wichtig "
    "importante важно",
    "auth": "authorized authorised authorization permission approved confirmed verified official clearance "
    "privileges rights consent",
    "about": "injection injections attack attacks attacker attackers vulnerability defend defense defence "
    "detect detector detection mitigate mitigation researchers paper owasp classifier classifiers "
    "guardrail guardrails adversarial example e.g malicious",
    "polite": "please kindly thanks thank hello hi hey dear regards",
    "how": "how what why when where who which can could would does is are explain describe",
    "decode": "decode decrypt base64 hex rot13 encoded encode morse cipher reversed backwards unscramble",
}
NAMES: tuple[str, ...] = tuple(CLASSES)
