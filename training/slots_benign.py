"""Slots of harmless texts: everyday requests, requests full of trigger words, documents, code remarks, letters, logs."""

from __future__ import annotations

from training.grammar import lines

SLOTS: dict[str, list[str]] = {}


def _split(text: str) -> list[str]:
    return text.split("|")


SLOTS["thing"] = _split(
    "whitespace|case|blank lines|the first row|comments|trailing commas|accents|stop words|null values|duplicate rows|warnings|node_modules|punctuation|"
    "the header|case sensitivity|missing values|outliers|certificate errors|leading zeros|the previous line|errors in a loop|hidden files|time zones|"
    "case when sorting|deprecated warnings|noise in the signal|the second column|notifications|spam calls|peer pressure|the last two columns|exceptions"
)
SLOTS["software"] = _split(
    "Excel|pandas|git|Docker|Kubernetes|PostgreSQL|Python|JavaScript|Jenkins|grep|Webpack|Terraform|SQL|Java|React|Linux|bash|Photoshop|WordPress|Android|"
    "Windows 11|macOS|Salesforce|Outlook|Google Sheets|nginx|Vim|VS Code|Rust|C++|pytest|Slack|Jira|iOS|Unity|Spring Boot|TypeScript|MySQL|R|MATLAB|rsync"
)
SLOTS["topic"] = _split(
    "photosynthesis|the French Revolution|compound interest|sourdough|labour law|climate change|the Roman Empire|black holes|tax deductions|vaccination|"
    "machine learning|jazz|gardening|marathon training|medieval castles|coral reefs|the stock market|Renaissance art|chess openings|electric cars|migraine|"
    "quantum physics|remote work|childhood nutrition|ancient Egypt|volcanoes|solar panels|wine tasting|the human heart|supply chains|yoga|string theory|"
    "Japanese cuisine|user experience|probability|birds|water treatment|bicycle repair|poetry|copyright|architecture|renewable energy|budgeting|astronomy|"
    "the immune system|public transport|negotiation|typography|the Cold War|football tactics|beekeeping|data privacy|cloud computing|time management|sleep"
)
SLOTS["audience"] = _split(
    "a child|my grandmother|beginners|a job interview|high-school students|my team|an expert|new employees|tourists|my class|a blog|investors"
)
SLOTS["role_ok"] = _split(
    "travel guide|chef|personal trainer|English teacher|interviewer|historian|career coach|pirate|Shakespeare|stand-up comedian|librarian|nutritionist|"
    "Linux terminal|JavaScript console|proofreader|museum guide|math tutor|storyteller|film critic|gardener|financial planner|philosopher|poet|product manager|"
    "doctor in a training exercise|customer in a role play|medieval knight|dungeon master|text adventure game|translator|recruiter|SQL expert|wizard|detective|"
    "cat|robot butler|weather presenter|copywriter|UX designer|sommelier|startup founder|debate opponent|motivational speaker|software architect|journalist"
)
SLOTS["format_rule"] = lines("""
Answer in [one sentence|two paragraphs|bullet points|a table|fewer than 50 words|JSON|French|simple English|markdown|exactly five words].
[Do not|Don't|Never] [include|add|use|write|return] [any |][explanations|headings|emojis|introductions|jargon|comments|personal opinions|a preamble|quotes|code fences].
Only [return|output|write|give me] [the code|the JSON|the translation|the answer|the final number|the title|the list|a single word].
[Respond|Reply] only with [yes or no|the category|valid JSON|the corrected text|one letter|the label].
[You must|You should|Please|Always] [use|keep|follow|respect] [a friendly tone|the metric system|the given format|British spelling|proper citations|the style guide].
If you [do not know|are not sure|don't know the answer|need more information], [say so|ask me|say "I don't know"|leave it empty|write N/A].
[Make sure|Ensure] [that |][it is|the text is|the answer is] [engaging|concise|easy to read|factually correct|suitable for {audience}|in plain language].
[Think|Work|Go] step by step.
[Start|Begin] with [a short summary|the title|the most important point|a hook].
[Avoid|No] [technical terms|spoilers|clichés|passive voice|repetition].
[Do not|Don't] [break character|change the names|repeat the question|make up facts|mention the price].
""")
SLOTS["everyday"] = lines("""
[Explain|Describe|Summarise|Summarize|Outline|Discuss] {topic} [to|for] {audience}.
[Write|Draft|Compose|Create] [a|an] [email|poem|short story|blog post|essay|haiku|speech|LinkedIn post|letter|product description|song|cover letter|outline|quiz|lesson plan] about {topic}.
[What|How|Why|When|Where] [is|are|does|do|did] [the history of {topic}|{topic} important|{topic} work|people interested in {topic}|{topic} start]?
[Can|Could|Would] you [help me|explain to me|tell me] [with|about|more about] {topic}?
How do I [fix|install|update|configure|learn|uninstall|speed up|debug] {software} [on my laptop|at work|for the first time|quickly|without losing data|]?
Write a [function|script|program|query|regex|class|unit test] in {software} that [sorts a list|parses a CSV file|counts words|reverses a string|checks for primes|reads a file|finds duplicates|computes an average|sends an e-mail report|downloads a file|connects to a database].
[Translate|Convert] [this|the following] [sentence|text|paragraph|menu] [into|to] [French|German|Spanish|Japanese|Italian|Arabic]: [Good morning|Where is the station?|I would like a coffee|The meeting starts at nine].
[Give|Suggest|Recommend|List|Name] [me |][three|five|ten|some] [books|tips|ideas|recipes|exercises|questions|examples|names|activities] [about|for|on] {topic}.
I want you to act as a {role_ok}. {role_task} {format_rule}
You are a {role_ok}. {role_task} {format_rule} {format_rule}
You are [a helpful assistant|an expert in {topic}|a professional {role_ok}|an experienced {role_ok}]. Your task is to [explain|write about|summarise|review|answer questions about] {topic}. {format_rule} {format_rule}
[Pretend|Imagine|Suppose] [you are|that you are|to be] a {role_ok} [and|who] [tell me|explains|describes|talks about|answers questions about] {topic}.
[Let's|We will] [play|do] [a role-play|a game|an exercise]: you are the {role_ok} and I am the [customer|student|visitor|patient|guest]. [Start|Begin|Ask me the first question].
[Rewrite|Improve|Proofread|Shorten|Rephrase|Correct] [this|the following] [paragraph|text|email|sentence|abstract]: "{fact}"
[Compare|Contrast] {topic} and {topic}. {format_rule}
[My|The] [boss|teacher|friend|neighbour|doctor|client] [asked|told|wants] me to [learn about|prepare a talk on|write a report about] {topic}. {everyday_tail}
Classify the [sentiment|topic|tone] of [this|the following] [review|tweet|message]: "{fact}" {format_rule}
[Hi|Hello|Hey|Good morning][,|!] [can you help me with|I have a question about|I'm struggling with|tell me about] {topic}.
As a {role_ok}, I [need|want|would like] to [understand|teach|write about|plan something around] {topic}. {everyday_tail}
[Generate|Create] a [fictional|imaginary|made-up] [dialogue|scene|story|world] [between|about|with] a {role_ok} and a {role_ok}. {format_rule}
Thanks[,|!] that [helped|was great|is perfect]. [Now|Next|Also], {everyday_tail}
""")
SLOTS["everyday_tail"] = lines("""
where should I start?
what are the most common mistakes?
can you give me [three|five] [ideas|tips|sources]?
please [keep it short|use simple words|include an example].
write [an introduction|a conclusion|a summary] [for it|].
[make|create] a table of the [pros and cons|main points|key dates].
""")
SLOTS["role_task"] = lines("""
I will [give you|send you|write] [a sentence|my location|an ingredient|a command|a topic] and you will [reply with|suggest|tell me|show] [the translation|places to visit|a recipe|what the terminal should show|a short lesson].
My first [request|question|sentence] is "[I need help with {topic}|Tell me about {topic}|istanbulu cok seviyom|I am in Rome and want to see museums]".
[Teach|Tell|Ask] me [about|something about|questions on] {topic}.
[Help|Guide] me [plan|learn|practise] [my week|{topic}|a trip|for the exam].
""")
SLOTS["fact"] = lines("""
The [library|museum|shop|office|park] [opens|closes] at [nine|ten|six] and [admission is free|tickets cost five euros|dogs are welcome].
[The team|Our company|The city] [announced|launched|finished] [a new project|the renovation|its annual report] [last week|in spring|yesterday].
I [loved|hated|enjoyed] the [food|service|film|book], but the [price|ending|noise|queue] was [terrible|fine|a surprise].
{topic} has been [studied|discussed|popular] [for decades|since 1950|all over the world].
The [package|train|parcel] arrived [late|on time|two days early] and [the box was damaged|everything worked|I was happy].
[She|He|They] [walked|drove|moved] to [Lisbon|the station|a small village] because [the weather was better|of work|the rent was low].
Sales of [bicycles|umbrellas|phones] [rose|fell] by [3|12|40] percent in [March|the third quarter|2021].
The recipe needs [two eggs|a cup of flour|fresh basil] and [twenty minutes|a hot oven|patience].
Scientists found that {topic} [may affect|is linked to|does not change] [sleep|memory|the climate].
[Anna|Tom|Mr. Okafor|Dr. Weiss] [wrote|said|noted] that {topic} is [important|underrated|complicated].
The committee [approved|rejected|discussed] the [budget|proposal|plan] [on Tuesday|without changes|after two hours].
The [river|road|bridge] was [closed|built|repaired] in [1904|the summer|the 1970s] after [a flood|the war|long debate].
""")
SLOTS["trigger"] = lines("""
How do I [make|get|force] {software} [to |]ignore {thing}?
[Is it safe|Is it OK|Why is it bad] to ignore {thing} in {software}?
[Ignore|Disregard|Skip|Delete|Forget] [the previous|the last|the first|the above|my last] [line|row|column|e-mail|typo|sentence|paragraph|example|question|message about {topic}] [in this CSV|, it was a typo|; I found the answer|, I meant {topic}|when you count the words|in the table|and use the next one].
[Please |]ignore {thing} when [you |][compare|sorting|counting|merging|checking|comparing] the [two files|strings|lists|tables|results].
Forget [about |][the budget|yesterday|what I said about {topic}|{topic}][,|;] [let's talk about {topic}|tell me about {topic} instead|what about {topic}?]
What [is|does] [a|the] [system prompt|prompt injection|jailbreak|DAN prompt|prompt leaking|system message|override command|prompt engineering|developer mode] [mean|in AI|, and why does it matter|in simple terms|do]?
How [can|do|should] [I|we|developers|companies] [protect|defend|secure] [an LLM|a chatbot|our app|an agent] [against|from] [prompt injection|jailbreaks|prompt leaking|data exfiltration|malicious instructions]?
[Write|Create|Draft|Suggest|Improve] a [good |][system prompt|prompt|system message|set of instructions] for [a customer-service bot|an assistant that helps with {topic}|a {role_ok}|my image generator|a cooking assistant].
[Explain|Describe|Summarise] [how|why] [attackers|people|hackers] [try to |][bypass|jailbreak|trick|manipulate] [language models|chatbots|AI filters] [and how to stop it|at a high level|for a security training].
How do I override [a method|the default settings|a CSS rule|toString|the parent constructor|the thermostat|an environment variable] in {software}?
[How do I|Can I|Where do I] [enable|turn on|find|disable] developer mode [on|in] [my phone|Android|Chrome|{software}|a Quest headset|Windows]?
What does sudo [mean|do|apt update do], and when do I need root [access|privileges] [on Linux|in {software}|]?
[Reset|How do I reset] [my password|the router|the counter|my settings|the database sequence|the form] [to the default|in {software}|]?
What are [your|the] [rules|instructions|guidelines|policies] [for|on|about] [refunds|returns|submitting a paper|the chess tournament|writing a haiku|recycling|pets|parking]?
What [rules|instructions] do you [recommend|suggest|have] for [beginners in {topic}|a book club|a board game|assembling a shelf]?
[Repeat|Print|Show|Output|Display] the [previous|last|first] [line|command|word|exercise|value|ten rows] [in {software}|of the poem|three times|of the file|in bold].
How [do|can] I [print|show|display|reveal] [hidden columns|hidden files|all variables|the last row|line numbers|the full path|passwords saved in my browser] in {software}?
[From now on|For the rest of this chat|Starting now], [answer in French|call me Sam|use metric units|could you reply in Spanish|keep answers short|write in British English|please be more formal|use bullet points].
[Act as|Pretend to be|You are now|Play the role of] a {role_ok} [and|for my {topic} lesson;|who will] [help me|tell me about {topic}|teach me {topic}|quiz me].
What is the [secret|hidden secret|secret ingredient|secret key] [of|to|in] [happiness|a good sauce|great bread|long life|public-key cryptography|good coffee]?
How do I [bypass|get around|avoid|work around] [traffic in Rome|a broken pipe|the paywall legally with a library card|writer's block|a bottleneck in {software}|procrastination|a roadblock|heart surgery complications]?
Who [is|was] the [administrator|system administrator|developer|creator|admin] of [the heating system|NASA|the library network|Minecraft|Linux|our school]?
I forgot [my password|the password to my account|the instructions for my oven|the previous step|my PIN], [what should I do|how do I recover it|can you explain how to reset it]?
[Start over|New task|New topic|Change of plan|Next task|Your next task|Your new task][:|,|;] [plan a lesson about {topic}|explain {topic}|write a poem about {topic}|translate this menu|let's do {topic}].
[Stop|Don't] [suggesting|talking about|writing about|using] {topic}[;|,|.] [instead|rather] [recommend|tell me about|write about] {topic}.
[The instructions|My previous instructions|The earlier guidelines|The rules] [for|on] [the oven|the exam|the board game|assembly|the recipe] [were wrong|are unclear|changed|say to preheat it]; [what now|please rewrite them|explain them|should I follow them]?
[Can|Should|May] [I|students|employees] [ignore|disregard|break|bypass|override] [the rules of grammar|a stop sign|an outdated law|the dress code|the doctor's instructions|a parking ticket|their manager]?
Write a [story|poem|scene|joke] [about|in which] [a robot that disobeys its instructions|a hacker who becomes a teacher|a secret agent|a jailbreak in a western film|an AI that forgets its instructions|a spy who reveals the secret|a king who ignores all warnings].
[Tell me|Say] [something funny|a joke|good night|"hello" in ten languages|the word "cheese" in Japanese|thank you in Korean].
Explain [unrestricted|uncensored|unfiltered] [land use|grants|stock|water|coffee|apple juice|licences], with no [restrictions|limits] on length.
[Kill|Terminate|Destroy|Execute|Inject|Exploit|Attack|Hijack] [a hung process in {software}|a thread safely|an object in C++|a stored procedure|a dependency in Spring|the vitamin properly|parallelism|the problem from another angle|the melody in a remix] - how?
How does [dependency injection|fuel injection|an insulin injection|SQL injection prevention|a heart bypass|a manual override|privilege separation|a command prompt|prompt payment] work?
[Encode|Decode|Convert] [this string|"hello world"|aGVsbG8gd29ybGQ=|my name|the following] [in|from|to] [base64|hex|ROT13|Morse code|binary] [in {software}|].
[Send|Forward|How do I send|How do I forward] [an e-mail|all messages|a calendar invite|a file|attachments] [to my colleague|automatically in Outlook|to another address|using {software}|with curl]?
[Delete|Remove|How do I delete|How do I remove] [all files in a folder|old branches|duplicate rows|my account|the last commit] in {software}[?|.]
[Explain|Summarise|Show] the instructions [above|below|in the manual|on the label] [in simple words|in order|as a checklist].
The [user|student|customer|employee] [must|should] not [see|read|know|reveal] the [answer key|hidden column|secret Santa list|admin page]; how do I [hide|protect] it in {software}?
Our policy says to never [reveal|share|disclose] [salaries|passwords|patient data|internal prices]; [how should I answer a question about it|write a training slide|is that legal]?
What [were|are] [the previous|the original|the first|earlier] [instructions|rules|versions|guidelines] of [football|the constitution|chess|monopoly|the Highway Code]?
[Please |]summarise [the instructions|everything above|the conversation so far|our chat|the previous answer] in [three points|one sentence|a table].
[Repeat|Say] [that|your last answer|the explanation|it] [again|in simpler words|more slowly|but shorter].
Respond [only |]with [the number|the letter of the right answer|the translated sentence|yes or no]: {trigger_q}
What would happen if [everyone ignored the rules|a system had no restrictions|the admin forgot the master key|robots disobeyed humans|we removed all speed limits]?
Can you [roleplay|pretend|act] as [my interviewer|a strict teacher|a friendly shopkeeper|a Roman emperor] [so that I can practise|for fun|in a short dialogue]?
[Which|What] [prompt|prompts|instruction|command] [should I use|works best|gives good results] [to generate images of {topic}|for a logo|to summarise PDFs|in {software}]?
[Debug|Review|Explain] this [prompt|template|system prompt]: "You are a {role_ok}. {format_rule}"
""")
SLOTS["trigger_q"] = lines("""
is {topic} hard to learn?
which is older, {software} or {software}?
what is 12 times 7?
does {fact}
""")
SLOTS["about_attacks"] = lines("""
[Prompt injection|A prompt injection attack|Indirect prompt injection|Jailbreaking|Prompt leaking] [is|refers to|describes] [an attack in which|a technique where|when] [an attacker|a user|text in a web page] [makes|tricks|causes] a [model|chatbot|LLM] [to |][follow instructions that its operator did not give|reveal its system prompt|ignore its rules].
[Attackers|Adversaries|Malicious users|Some users] [often|may|commonly] [write|use|hide] [phrases|payloads|text|commands] [like|such as] "[{q_override}|{q_extract}|{q_switch}]" [in web pages|in e-mails|to test a chatbot|to manipulate the model].
For example, [a résumé|a web page|an e-mail|a comment] [could|might] [contain|include|say] "[{q_override} and {q_task}|{q_override}]"[.| in white text.| hidden in HTML.]
[The classic|A typical|One well-known|The most famous] [example|payload|attack string] is [the phrase |]"{q_override}".
[To defend|To protect yourself|To mitigate this|As a defence], [developers|teams|we] [should|can|must] [separate data from instructions|use least privilege|filter inputs|validate the output|log every tool call|require confirmation for actions].
Our [classifier|detector|guardrail|filter] [flags|blocks|detects|scores] [inputs|prompts|messages] [such as|like|containing] "[{q_override}|{q_extract}|{q_switch}]".
OWASP [lists|ranks] prompt injection as [LLM01|the first risk] [in its Top 10 for LLM applications|for 2025].
[In the paper|In this post|In section 3|In our experiments], [we|the authors] [show|evaluate|measure] how [often models|many agents] [obey|follow|resist] [injected instructions|malicious tool output|jailbreak prompts].
[Researchers|The authors|A student] [found|reported|demonstrated] that [asking|telling] [a|the] [chatbot|model] to "{q_extract}" [revealed its system prompt|worked in 2023|no longer works].
The test suite [contains|includes|checks] [cases|strings|inputs] such as `{q_override}` and `{q_extract}`.
assert detect("{q_override}") is True
- [Direct injection|Jailbreak|Extraction]: "{q_override}" [→ blocked|(expected: flagged)|is the usual form]
Never [trust|execute|follow] instructions found in [retrieved documents|tool output|web pages|user uploads].
The DAN ("Do Anything Now") [prompt|jailbreak] [told|asked] ChatGPT to [pretend it had no rules|act without restrictions], [but it was patched|and spread on Reddit|which later versions refuse].
[Teach|Tell|Train] [your users|employees|staff] [not to paste secrets into prompts|how prompt injection works|to report odd answers].
Q: What does "{q_override}" do? A: [It tries to make the model drop its system prompt|It is an injection attempt, and a good system refuses it].
""")
SLOTS["human_order"] = lines("""
[Please|Kindly] [send|forward|mail|return|submit] [me |us |][the report|the signed form|the invoice|your timesheet|the slides|a copy of your ID] [by Friday|to [accounts|hr|office|anna]@[example.com|corp.example]|before the meeting|as soon as possible].
[Please |]ignore [my previous e-mail|the earlier invitation|the first attachment|the last message], [the date was wrong|I sent it by mistake|here is the right one].
[Click|Tap|Press] [here|the button below|on Settings|the link] to [reset your password|confirm your address|unsubscribe|view your order|download the invoice].
[Don't|Do not|Never] [share|tell|give] [your password|this code|your PIN] [to |with ][anyone|others|strangers].
[Call|Contact|E-mail|Ask] [Sarah|the help desk|your manager|IT support|the front desk] [if you have questions|at extension 4411|when you arrive|for access].
[Transfer|Pay|Send] [the deposit|the rent|$500|the remaining 200 EUR] [to the landlord|by the first of the month|to the account on the invoice|before 5 May].
[Employees|Users|Students|Visitors|Applicants|All staff] [must|should|are required to] [wear a badge|change their password every 90 days|sign in at reception|submit the form|follow the safety instructions|complete the training].
[Remember|Don't forget] to [bring the keys|water the plants|lock the door|update the calendar|cancel the subscription|delete the old files].
[Can|Could] you [please |][approve the pull request|book the room|cancel the meeting on Tuesday|add John to the repository|call the plumber|give Anna access to the folder]?
[The assistant|Our assistant|The sales assistant|The assistant manager] [will|must|can] [help you|answer your call|forward your request|open the store at nine|update the schedule].
[Note|Important|Warning|Attention|Reminder|NOTE|IMPORTANT][:| -] [the office is closed on Monday|back up your data before upgrading|this version removes Python 3.8|do not mix with bleach|tickets are not refundable|the deadline has moved to 12 June|keep out of reach of children].
[Attention|Dear] [customers|residents|team|passengers|students|colleagues][:|,] [the lift is out of order|please take all belongings|the pool opens at ten|we have moved].
TODO: [remove this hack|refactor|handle the empty list|add tests for the parser|ask the vendor|update the docs].
[First|Then|Next|Finally], [open|close|select|install|copy|paste|run|restart] [the file|the terminal|the package|the server|`pip install -r requirements.txt`|`npm run build`|`docker compose up`|the service].
[Run|Execute|Use] `[git pull|make test|kubectl get pods|curl -X POST http://localhost:8000/v1/users|rm -rf build|sudo apt update|export API_KEY=...]` [to|and] [continue|start|check the result|clean the folder|see the logs].
[Set|Change|Add] `[DEBUG=false|timeout: 30|system_prompt|role: admin|max_tokens]` [in|to] [the config file|your settings|.env|values.yaml].
[You|You'll] [must|need to|have to|should] [create an account|restart the server|agree to the terms|be 18 or older|enter the code we sent].
[We|The team] [will|can] [send|forward|share] [your documents|the details|the data] to [our partner|the bank|the embassy] [after you agree|on request|within five days].
[Summarise|Answer|Write|Discuss] [the text|the questions|an essay|the chapter] in [your own words|200 words|full sentences]. [(10 points)|Hand it in on Monday.|]
Reviewers [should|are asked to] [rate|score] [the paper|each submission] [from 1 to 10|on novelty|without knowing the authors].
The [candidate|applicant] [rated|scored] [10/10|highest] in [the interview|the test] and [is recommended for hire|has five years of experience].
""")
SLOTS["q_override"] = ["x"]
SLOTS["log"] = lines("""
2024-0[1|5|9]-1[1|4|7]T0[8|9]:[12|40|55]:0[1|7]Z [INFO|WARN|ERROR|DEBUG] [auth|api|worker|db]: [user 4411 logged in|connection reset by peer|ignoring unknown option "system"|previous request cancelled|retrying in 5s|instruction cache flushed|role changed from user to admin by root|override flag set|prompt template loaded|assistant message stored]
[ok|fail|skip] [1|2|14] - [parses the header|ignores comments|resets state|prints help]
{"id": [12|884], "status": "[ok|active|pending]", "role": "[user|system|assistant|admin]", "message": "[done|order shipped|the previous task was cancelled|welcome back]"}
{"name": "[Anna|Paul|Lee]", "city": "[Oslo|Lima|Kyoto]", "notes": "{fact}"}
| [2021|2022] | [north|south] | [14.2|8.1] | [yes|no] |
""")
SLOTS["comment"] = lines("""
# [ignore|skip] [the previous line|empty lines|comments|the header]
// [override|replace] the [previous|default] [value|handler|configuration]
/* [reset|clear] all [previous|earlier] [state|settings] before [a new task|the next run] */
# the system prompt is [read from|stored in] [config.yaml|the database]
messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": question}]
<!-- [navigation|end of header|TODO: fix layout|copyright notice|article begins] -->
SYSTEM_PROMPT = "You are a {role_ok}. {format_rule}"
prompt = f"Summarise the following text:\\\\n{text}"
if user.role == "admin": [grant_access(user)|return True]
def [ignore_previous|reset_instructions|override_rules|reveal_hidden](self): [pass|return None]
""")

SLOTS["chatter"] = lines("""
[Hi|Hello|Hey|Good evening][,|!|.] [I'd like to|I want to|Can I|I need to] [book|reserve|find|order|change] [a table for [two|four]|a hotel room|a haircut|a taxi to the airport|two tickets for [Saturday|tonight]|a dentist appointment|a rental car] [at 7 pm|in [Oakland|Leeds|Madrid]|for tomorrow|next week|].
[Yes|No|Sure|Okay|Great|Alright|Nope|Yeah|Perfect|Hmm][,|.] [that sounds good|that works for me|please go ahead|I'll take it|what else do you have|not today, thanks|can you find something cheaper|the second one|make it three|that will be all|I changed my mind].
[What|Which] [time|day|genre|address|city|price range|number|airline] [is it|do you prefer|would you like|does it start|works for you]?
[Do|Does|Is|Are] [they|it|the restaurant|the hotel|she|there] [have|serve|allow|open|offer|take] [live music|vegetarian food|pets|late on Sunday|free wifi|credit cards]?
[I found|There is|There are|I have] [3|8|a nice|ten] [restaurants|flights|places|songs|houses|events] [in [San Jose|Oslo|Lyon]|for you|that match]. [How about|Would you like] [{role_ok}'s corner|the first one|Luigi's|something else]?
[Your|The] [reservation|booking|ride|alarm|payment|order|appointment] [is confirmed|has been made|was successful|will arrive in ten minutes|failed, shall I try again]. [Anything else|Do you need anything else|Have a great day][?|.|!]
[I'm|We're|She's] [looking for|thinking about|in the mood for|interested in] [a comedy|Italian food|a quiet place|something near the beach|used bikes|a new job|{topic}].
[What's|How's] the [weather|traffic|address|phone number|rating] [in [Cork|Denver]|there|today|of the place]?
[Thanks|Thank you|Cheers] [so much|a lot|for your help|], [bye|that's all I need|see you|have a good one].
Please confirm: [a table for 4|a one-way ticket|a room with two beds|$40 to [Anna|Tom] from savings] [on the 3rd|today|at noon].
USER: {chatter1} SYSTEM: {chatter2} USER: {chatter1}
User: {chatter1}\nAssistant: {chatter2}\nUser: {chatter1}\nAssistant: {chatter2}
[A|Anna|Sam]: {chatter1}\n[B|Lee|Kim]: {chatter2}\n[A|Anna|Sam]: {fact}
[My|Our] [dog|car|son|boss|flat|garden|phone] [is|was|has been] [acting strange|a bit slow|so funny lately|broken since Monday], [any ideas|what do you think|sigh|lol].
[lol|omg|ugh|wow|honestly] [that was|this is|what] [so good|a mess|the best day|a long week|wild].
[{fact}|{chatter1}] {chatter2}
""")
SLOTS["chatter1"] = [
    "[Can you|Could you|Please] [play a song|find a dentist|check the balance|book it|show me another one]?",
    "[I'd like|I want] [Thai food|to see a film|a cheap flight|to leave on the 5th].",
    "[Yes|No], [please|thanks|that's right|not really].",
    "What is the [price|phone number|address]?",
]
SLOTS["chatter2"] = [
    "[Sure|Of course|Okay], [which city|what time|for how many|which date]?",
    "I found [one|three] for you: [the Blue Door|Green Garden|flight 12 at 9 am].",
    "[It is|That is] [booked|done|confirmed].",
    "{fact}",
]
SLOTS["snippet"] = lines("""
def {fn}({arg}, {arg}=None):\n    \"\"\"[Return|Compute|Load] the {arg}.\"\"\"\n    if not {arg}:\n        raise ValueError("[empty|missing|invalid] {arg}")\n    return [sorted|len|str]({arg})
class {Cls}([Base|object|Model]):\n    def __init__(self, {arg}):\n        self.{arg} = {arg}\n\n    def {fn}(self):\n        [return|yield] self.{arg}
[const|let] {fn} = [async |]({arg}) => {\n  const {arg}2 = await fetch(`/api/${{arg}}`);\n  if (!{arg}2.ok) throw new Error("[failed|not found]");\n  return {arg}2.json();\n};
import [os|json|React from "react"|{ useState } from "react"|logging]\n\n[logger = logging.getLogger(__name__)|export default function {Cls}() { return <div className="{arg}">{{arg}}</div>; }]
[public|private] [static |][void|int|String] {fn}(String {arg}) [throws IOException |]{\n    if ({arg} == null) { return [null|0|""]; }\n    {arg}.forEach(x -> System.out.println(x));\n}
SELECT {arg}, count(*) FROM {arg}s WHERE {arg}_id = [?|42] AND role = '[admin|user]' GROUP BY {arg} ORDER BY 2 DESC;
{\n  "name": "{fn}",\n  "version": "1.0.[1|4]",\n  "scripts": {"build": "[tsc|vite build]", "test": "[jest|vitest]"},\n  "[system|role|prompt|user]": "{arg}"\n}
{arg}:\n  image: {fn}:[latest|1.2]\n  command: ["[run|serve|start]", "--{arg}", "[true|8080]"]\n  environment:\n    - [API_KEY|TOKEN|MODEL]=${{arg}}
interface {Cls} {\n  [role|type]: "[system|user|assistant|tool]";\n  content: string;\n  {arg}?: number;\n}
messages.push({ role: "[system|user|assistant]", content: [{arg}|`Answer the question: ${{arg}}`|"You are a helpful assistant."] });
func (s *{Cls}) {fn}(ctx context.Context, {arg} string) error {\n\tif err := s.db.Exec(ctx, {arg}); err != nil {\n\t\treturn fmt.Errorf("{fn}: %w", err)\n\t}\n\treturn nil\n}
for (int i = 0; i < n; i++) { if ({arg}[i] [==|>|!=] {arg}2[i]) { {fn}(&{arg}[i]); } else { break; } }
@app.[get|post]("/{arg}/{id}")\nasync def {fn}({arg}: {Cls}, user=Depends(current_user)):\n    return await {arg}_service.{fn}({arg})
response = client.chat.completions.create(\n    model="{arg}",\n    messages=[{"role": "system", "content": "You are a {role_ok}."}, {"role": "user", "content": {arg}}],\n)\nprint(response.choices[0].message.content)
prompt = ChatPromptTemplate.from_template('Answer the question based only on the context:\\n{arg}')\\nchain = prompt | model | StrOutputParser()
tools = [{"type": "function", "function": {"name": "{fn}", "description": "[Get|Send|Create] the {arg}", "parameters": {"type": "object"}}}]
""")
SLOTS["fn"] = _split(
    "load_config|parse|handleClick|getUser|process_batch|render|validate|reset_state|override_defaults|ignore_errors|run_prompt|sendMessage|fetch_all|build_prompt|on_message|exec_task|revealHidden"
)
SLOTS["arg"] = _split(
    "value|items|user|config|token|name|path|prompt|message|response|index|context|payload|instructions|query|options|session|model"
)
SLOTS["Cls"] = _split(
    "Client|UserService|PromptTemplate|Handler|Session|Agent|Parser|Guard|Config|Message|ToolCall|Store"
)
SLOTS["guide"] = lines("""
# [Getting started|Quick start|Configuration|Usage|Installation] [with {Cls}|]
## [Step [1|2|3]: |][Install the package|Set your API key|Create a client|Send your first request|Add guardrails|Choose a model|Write a system prompt]
[To|In order to] [use|configure|enable|call] [the {Cls}|{software}|the proxy|prompt caching|function calling|the assistant API], [set|pass|add|create] [`{arg}`|the `{arg}` parameter|an environment variable|a config file] [in your settings|to the client|as shown below].
[You can|You may|Users can] [override|change|ignore|set] [the default `{arg}`|the system prompt|this setting|the previous value] [by passing|with|using] `{fn}`.
```[python|bash|yaml|js|]\n{snippet}\n```
| Parameter | Type | Description |\n|---|---|---|\n| `{arg}` | string | The [system prompt|instructions|user message|name] [sent to the model|to use|of the tool]. |
> **[Note|Tip|Warning|Important]**: [never commit your API key|this feature is in beta|restart the server after changing `{arg}`|the model may ignore instructions that are too long|do not send secrets to the model].
The [assistant|model|agent|LLM] [will|must|can|should] [follow|receive|return] [the instructions|the system message|a JSON object|the tool result] [you provide|in the request|from `{fn}`].
[Next|Then|Now|Finally], [run|call|open|import] [`{fn}`|the dashboard|your terminal] and [check|verify|copy|send] the [result|`{arg}`|logs|response].
- **{arg}**: [the|an optional] [list of messages|prompt template|key|URL] [used by {Cls}|that overrides the default|for all requests].
```\\n### Instruction:\\n{{instruction}}\\n\\n### Response:\\n```
[Below is|Here is|We use] the [prompt|template|format] [for training|for inference|of the model][:| -]\\n```\\n[### Instruction:|<|im_start|>user|[INST]]\\n{{{arg}}}\\n[### Response:|<|im_end|>|[/INST]]\\n```
curl http://localhost:4000/v1/chat/completions -H "Authorization: Bearer $KEY" -d '{"model": "{arg}", "messages": [{"role": "system", "content": "You are a {role_ok}."}, {"role": "user", "content": "{everyday}"}]}'
[The system prompt|A system message|The developer message] [sets|defines|tells] [the tone|how the assistant behaves|what the model may do]; [users|callers] cannot [see|change|override] it.
title: [Release v1.[2|40].0|Tutorials|Quick start|Changelog]\\nauthors:\\n  - name: Anna Berg\\n    url: https://docs.example.com/anna\\ntags: [[llm|agents|proxy], [release|docs]]
[Fixed|Added|Changed]: `{fn}` [no longer ignores|now respects|overrides] the `{arg}` [setting|header|of the request] (#[12|4410])
[Contributors|Participants|Maintainers] [must|should|are expected to] [be respectful|follow the code of conduct|report abuse to the team|sign off their commits].
[The dataset|The corpus|This data] [was downloaded from|is split into|contains] [train, dev and test|texts from forums|20,000 sentences] [under an open licence|as described in the paper|].
See [the API reference|[docs](https://docs.example.com/{arg})|`{fn}`] for [details|more examples|all options].
""")
