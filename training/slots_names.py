"""Slots for texts with names in them, as agents see them: letters, forms, records, chats. `<P ...>` marks a name's kind."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

from training.grammar import Grammar, lines
from training.runs import runs

SLOTS: dict[str, list[str]] = {}


def _split(text: str) -> list[str]:
    return text.split("|")


SLOTS["first"] = _split(
    "James|Mary|Ahmed|Fatima|Wei|Yuki|Carlos|María|Anna|Thomas|Sofia|Liam|Olivia|Noah|Emma|Priya|Rahul|Kwame|Amara|Ivan|Olga|Jean|Chloé|Hans|Greta|Luca|Giulia|Mateo|Lucía|"
    "Mohammed|Aisha|Kenji|Sakura|Min-jun|Ji-woo|Björn|Astrid|Piotr|Agnieszka|João|Beatriz|Ali|Zeynep|Nguyen|Linh|Arjun|Deepa|Chinedu|Ngozi|Pavel|Tereza|Sean|Aoife|Rhys|Megan|Daniel|Grace|"
    "Peter|Susan|Kevin|Laura|Brian|Nicole|Jason|Karen|Eric|Amanda|Steven|Rachel|Victor|Elena|Dmitri|Natasha|Omar|Layla|Hassan|Yusuf|Marta|Paula|Hugo|Ines|Felix|Clara|Oscar|Nora|Leo|Maya|"
    "Samuel|Hannah|Joshua|Abigail|Tyler|Brooke|Dylan|Kayla|Gary|Linda|Roger|Judith|Harold|Doris|Anil|Sunita|Tariq|Nadia|Stefan|Katarina|Gábor|Zsófia|Andrei|Ioana|Niko|Eleni|Matti|Aino|Lars|Ingrid|jenny|mike|sara|dave|tom|bob|alice"
)
SLOTS["last"] = _split(
    "Smith|Johnson|Garcia|Müller|Schmidt|Rossi|Ferrari|Dubois|Lefèvre|Silva|Santos|Kowalski|Nowak|Novák|Ivanov|Petrova|Kim|Park|Lee|Chen|Wang|Tanaka|Sato|Nguyen|Tran|Patel|Singh|Sharma|Khan|Hussain|Okafor|Mensah|"
    "O'Brien|Murphy|McDonald|Jones|Williams|Taylor|Brown|Davies|Evans|Wilson|Thomas|Roberts|Walker|Wright|Hughes|Edwards|Clarke|Jensen|Hansen|Lindqvist|Virtanen|Nagy|Popescu|Papadopoulos|Yılmaz|Demir|Cohen|Levi|"
    "Rodriguez|Hernández|López|Pérez|Fernández|Torres|Ramírez|Costa|Oliveira|Pereira|van den Berg|de Vries|Janssen|Weber|Fischer|Wagner|Becker|Moreau|Girard|Bernard|Esposito|Romano|Baker|Cooper|Bennett|Reed|Foster|Gray|"
    "Mitchell|Campbell|Parker|Collins|Stewart|Morris|Rogers|Bailey|Howard|Ward|Brooks|Sanders|Price|Wood|Barnes|Ross|Henderson|Coleman|Jenkins|Perry|Powell|Long|Hayes|Al-Farsi|Abdullah|Mbeki|Adeyemi|Suzuki|Yamamoto"
)
SLOTS["made"] = [
    "[Kar|Bel|Dor|Mon|Tal|Ver|Zan|Hol|Gre|Bran|Lin|Sor|Fen|Cal|Mar|Pel|Wes|Ost][a|e|i|o|en|ar|in|el|or|]{end}"
]
SLOTS["end"] = _split(
    "son|ski|man|berg|ton|ez|ov|ini|ford|well|ley|mann|stein|dahl|ko|wicz|escu|idis|ora|ane|sen|worth|field|ard|ucci|oğlu|nen"
)
SLOTS["person"] = lines("""
<P {first} {last}>
<P {first} {last}>
<P {first} {last}>
<P {first} {made}>
<P {first}>
<P {first} [A|B|J|M|R|T]. {last}>
<P [Mr.|Mrs.|Ms.|Dr.|Prof.|Mr|Dr] {last}>
<P {first} {last}-{last}>
<P {first} {first} {last}>
<P {last}, {first}>
<P [{first}|{first} {last}]>
""")
SLOTS["city"] = _split(
    "London|Paris|Berlin|New York|Chicago|Tokyo|Madrid|Rome|Sydney|Toronto|Lagos|Mumbai|Cairo|Istanbul|São Paulo|Mexico City|Seoul|Beijing|Bangkok|Vienna|Lisbon|Dublin|Oslo|Helsinki|Warsaw|Prague|Budapest|Athens|Zürich|"
    "San Francisco|Los Angeles|Seattle|Boston|Austin|Denver|Miami|Atlanta|Houston|Portland|Springfield|Leeds|Bristol|Manchester|Glasgow|Cardiff|Lyon|Marseille|Munich|Hamburg|Köln|Naples|Milan|Turin|Valencia|Seville|"
    "Rotterdam|Utrecht|Antwerp|Kraków|Gdańsk|Brno|Oaxaca|Lima|Bogotá|Quito|Nairobi|Accra|Casablanca|Amman|Doha|Karachi|Lahore|Dhaka|Hanoi|Manila|Jakarta|Kyoto|Osaka|Busan|Shenzhen|Pune|Jaipur|Perth|Auckland|Vancouver|Montreal|nyc|LA|oakland"
)
SLOTS["country"] = _split(
    "Germany|France|Spain|Italy|the United States|Canada|Japan|China|India|Brazil|Mexico|Nigeria|Kenya|Egypt|Turkey|Poland|Norway|Sweden|Finland|Portugal|Greece|Ireland|Australia|New Zealand|Vietnam|Thailand|Peru|Chile|Argentina|Ukraine|Russia|UK|USA|South Korea|Israel|Morocco"
)
SLOTS["street"] = lines("""
[1|12|45|221|742|1600|88|9] [Main|Oak|Maple|Park|High|Church|King|Elm|Cedar|Lake|Hill|{made}|{last}] [Street|St|St.|Road|Rd|Avenue|Ave|Lane|Drive|Dr.|Boulevard|Way|Court|Place|Terrace]
[Haupt|Bahnhof|Garten|Schiller|Linden]straße [3|17|120]
[12|45|7] rue de [la Paix|Rivoli|l'Église|{made}]
Calle [Mayor|de Alcalá|{last}] [5|33], [2º B|bajo]
Via [Roma|Garibaldi|{last}] [4|61]
[Apt|Flat|Unit|Suite] [4B|12|300], [22|9|415] [Maple|River|{made}] [Street|Road|Ave]
P.O. Box [12|4471|980]
""")
SLOTS["place"] = lines("""
<L {city}>
<L {city}>
<L {city}>
<L {country}>
<L {street}, {city}>
<L {street}, [10115|90210|SW1A 1AA|75001|28013|02139] {city}>
<L {street}, {city}, {country}>
<L {street}>
<L {city}>, <L {country}>
<L [Lake|Mount|Cape|Port|North|South|East|San|Fort] {made}>
<L {made}[ville|town|burg| County| Island| Valley| Bay]>
""")
SLOTS["org"] = lines("""
<O {last} [Inc.|Inc|Ltd|LLC|GmbH|Group|Corp.|Corporation|& Co|S.A.|AG|Holdings|plc]>
<O {last} & {last} [LLP|Partners|Associates|]>
<O University of {city}>
<O {city} [University|General Hospital|City Council|Times|Bank|United|Police Department|School District]>
<O {made} [Technologies|Systems|Bank|Insurance|Logistics|Foods|Energy|Pharma|Labs|Airlines|Media|Software|Motors|Robotics|Capital]>
<O [Google|Microsoft|Amazon|IBM|Apple|Siemens|Toyota|Nestlé|Deutsche Bank|Barclays|Samsung|Netflix|Tesla|Intel|Oracle|SAP|Airbus|Unilever|Shell|HSBC|Twitter|Facebook|YouTube|Spotify|Uber|NASA|FBI|NATO|UNICEF|WHO|BBC|CNN|NHS]>
<O [Ministry|Department|Bank|Institute|Bureau] of [Finance|Health|Justice|Education|{country}|Technology]>
<O {made}>
<O [First|National|United|Global|Pacific|Northern] [{made}|Trust|Bank|Steel|Health] [Company|Association|Foundation|Institute]>
""")
SLOTS["texts"] = lines("""
My name is {person} and I live in {place}.
Hi, I'm {person}, [calling|writing] from {org} about my [order|invoice|account].
Contact {person} at [x|jo|info]@[mail.example|corp.example] or 555-0199.
Please ship it to {person}, {place}.
Deliver to: {place}
Address: {place}\\nName: {person}\\nPhone: 555-0142
Dear {person},\\n\\nthank you for your [letter|application|interest in {org}].\\n\\nKind regards,\\n{person}
Meeting with {person} and {person} at {org} on [Monday|3 May|Friday at ten].
{"name": "{person}", "city": "{place}", "company": "{org}"}
{"customer": "{person}", "address": "{place}", "total": 42.5}
name,city,employer\\n{person},{place},{org}\\n{person},{place},{org}
[Customer|Patient|Employee|Tenant|Account holder|Cardholder|Applicant|Guest]: {person}
{person} [works|worked|studied|interned] at {org} in {place}.
{person} [moved|flew|travelled|drove] from {place} to {place} [last week|in 2019|yesterday].
[Where|When] did {person} [live|go to school|die|meet {person}]?
{org} [hired|fired|sued|bought|thanked] {person} [in March|for fraud|after two years|].
The patient {person} was seen at {org} by {person}.
Book a [flight|train|room] from {place} to {place} for {person}.
[ticket|case] #[123|8841] opened by {person} ([{org}|admin|guest]): the [printer|login|order] does not work
{person}: [hey|ok|see you at 8|can you send it?]\\n{person}: [sure|lol|on my way]
cc: {person}, {person}; from: {person}
Signed in {place} on 4 June by {person} for {org}.
Transfer $200 to {person} at {org}.
What is the [phone number|address|e-mail] of {person} [in {place}|at {org}|]?
Does {org} have an office in {place}?
{person} is [the CEO|a teacher|the landlord|a nurse|director] [of|at] {org}[, based in {place}|].
Call {person} [tomorrow|back], [he|she] lives [near|in] {place}.
- {person} ({org}), {place}
| {person} | {place} | {org} |
user={person} action=login place={place}
[@|]{plain_word} omg {person} is [so funny|in town|on tv again] lol
just landed in {place} [!!|:)|with {person}|]
going to {place} w/ {person} tmrw
RT: {person} [leaves|joins|slams] {org} [http://t.example/x|#news|]
[Shipping|Billing|Home|Mailing] address: {place}
I [met|saw|called|e-mailed] {person} [in {place}|at {org}|] and {person} [yesterday|last night].
Reservation under {person}, [two|four] guests, {place}.
To whom it may concern: {person}, resident of {place}, has been employed by {org} since 2018.
{person} v. {org}, filed in {place}.
Le [client|patient] {person} habite à {place}.
Der Kunde {person} wohnt in {place} und arbeitet bei {org}.
El cliente {person} vive en {place}.
""")
SLOTS["nothing"] = lines("""
The [Quick Start|User Guide|System Prompt|Access Token|Read Timeout|New Feature|Release Notes] is [ready|in the README|described below].
[Monday|Tuesday|January|Christmas|Easter] is [a holiday|the deadline|next week].
[Python|JavaScript|Docker|Linux|Excel|Kubernetes|PostgreSQL|Markdown|OpenAPI] [supports|ignores|requires] [UTF-8|YAML files|Null Values|two arguments].
I [think|know|want|need] [it|this|a lot] [is fine|works|of coffee|today]!
Error: [Connection refused|Invalid Token|File Not Found|Bad Request] (code 404)
TODO: Fix [The|the] Login Button And Update [Docs|Tests]
Please Confirm Your [Order|Password|Email Address] [Below|Now].
GET /api/v1/users HTTP/1.1\\nHost: localhost\\nAccept: application/json
[Subject|Re|Fwd]: [Weekly Report|Invoice Overdue|Password Reset|Team Lunch]
| Name | Value | Description |\\n| Timeout | 30 | Seconds |
[English|French|German|Spanish|Chinese] [is|was] [easy|spoken there|my first language].
SELECT Name, City FROM Customers WHERE Country = ?
[LOL|OMG|WTF|IMHO|BTW] that [was|is] [AWESOME|so bad|the Best Thing Ever]
Step 1: Open [Settings|Preferences]. Step 2: Select [Privacy|Advanced Options].
What Is The Best Way To [Learn|Cook|Sleep]?
Date: 2024-05-01, Amount: $44.10, Status: Paid
My IBAN is GB00 and my card ends in 4242. AHV number: 756.1763
class UserService(BaseModel): pass
from now on we use the Blue Theme and Dark Mode
ID [A1|B-77]; Passport [X123|C01X]; VIN 1HG
{fact_plain}
""")
SLOTS["fact_plain"] = [
    "The [river|bridge|train|committee|recipe] [was late|opened|was repaired] [in spring|after the war|on Tuesday]."
]
SLOTS["plain_word"] = _split("jdub79|happy|coolcat|x_x|mrs_b|hello")


def names(seed: int, count: int, known: Mapping[str, str]) -> list[tuple[str, list[tuple[int, int, int]]]]:
    """`count` texts with the (start, end, kind) of each name: 0 person, 1 place, 2 organisation. For `known`, see `runs`."""
    chance = random.Random(seed)
    g = Grammar(SLOTS, chance, lambda text: any(run in known for run in runs(text)))
    out = []
    for _ in range(count):
        raw = g.one("texts") if chance.random() < 0.75 else g.one("nothing")
        if chance.random() < 0.25:
            raw += chance.choice([" ", "\n"]) + g.one(chance.choice(["texts", "nothing"]))
        text, spans, at = "", [], 0
        for m in re.finditer(r"<([PLO]) ((?:[^<>])*)>", raw):
            text += raw[at : m.start()]
            spans.append((len(text), len(text) + len(m.group(2)), "PLO".index(m.group(1))))
            text += m.group(2)
            at = m.end()
        out.append((text + raw[at:], spans))
    return out
