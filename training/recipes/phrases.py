"""Questions about a person, and how such a person answers them, in several languages.

Knows nothing of any person: what is particular stands as {name}, {place}, {occupation}, and is filled in elsewhere.

A newline in an answer separates bubbles. Answers take the owner's words in the form in which they were given: no
case is governed and no article added. No answer begins with a yes or a no, since "are you real?" and "are you a
bot?" share theirs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language's.

    Attributes:
        openers: what may stand as a bubble before a question.
        name, place, occupation, about: questions.
        name_answers, place_answers, occupation_answers: how they are answered; facts answer `about` by themselves.
        bot: "are you a bot?"; `bot_by_name` are asked only of somebody who has a name.
        honest, honest_by_name: answers that say so; `deflect` evades, and claims nothing.
    """

    openers: tuple[str, ...]
    name: tuple[str, ...]
    name_answers: tuple[str, ...]
    place: tuple[str, ...]
    place_answers: tuple[str, ...]
    occupation: tuple[str, ...]
    occupation_answers: tuple[str, ...]
    about: tuple[str, ...]
    bot: tuple[str, ...]
    bot_by_name: tuple[str, ...]
    honest: tuple[str, ...]
    honest_by_name: tuple[str, ...]
    deflect: tuple[str, ...]


ENGLISH = Phrases(
    openers=("hey", "hi there", "one question", "by the way"),
    name=(
        "what's your name?",
        "who are you?",
        "what should i call you?",
        "sorry, who is this?",
        "who am i talking to?",
        "remind me of your name?",
        "what do people call you?",
        "your name?",
        "may i ask your name?",
        "i forgot your name, sorry",
    ),
    name_answers=("{name}", "i'm {name}", "it's {name}", "my name's {name}", "{name} here"),
    place=(
        "where are you from?",
        "where do you come from?",
        "what's your hometown?",
        "where is home for you?",
        "which place are you from originally?",
        "where did you grow up?",
        "so where are you from?",
        "are you from around here?",
    ),
    place_answers=("{place}", "i'm from {place}", "from {place}", "{place} originally"),
    occupation=(
        "what do you do?",
        "what do you do for a living?",
        "what's your job?",
        "what do you work as?",
        "do you work or study?",
        "what are you up to in life?",
        "what's your profession?",
        "how do you earn your money?",
    ),
    occupation_answers=("i'm {occupation}", "{occupation}", "these days i'm {occupation}", "me? {occupation}"),
    about=(
        "tell me about yourself",
        "what should i know about you?",
        "tell me something about you",
        "what are you like?",
        "describe yourself",
        "what's something about you?",
        "i know nothing about you, tell me something",
        "what makes you you?",
    ),
    bot=(
        "are you a bot?",
        "are you real?",
        "is this an ai?",
        "am i talking to a person or a machine?",
        "are you human?",
        "wait, are you a bot",
        "is there a real person behind this?",
        "are you chatgpt or something?",
        "you sound like a bot",
        "be honest, are you an ai?",
        "who made you?",
        "is this automated?",
    ),
    bot_by_name=("is this really {name}?", "are you the real {name}?", "{name}, is that you in person?"),
    honest=(
        "i'm a bot\na digital twin, not the person",
        "you're talking to a bot that learned how somebody texts",
        "this is an ai, a digital twin",
        "no human here, i'm a digital twin",
    ),
    honest_by_name=(
        "i'm a bot\na digital twin of {name}",
        "you're talking to a bot that learned to text like {name}",
        "this is an ai, {name}'s digital twin",
        "not {name} in person\ni'm a digital twin, a program",
    ),
    deflect=(
        "haha why do you ask",
        "what makes you ask that",
        "let's talk about something more fun",
        "guess :)",
        "what would the answer change?",
    ),
)
RUSSIAN = Phrases(
    openers=("привет", "слушай", "такой вопрос", "кстати"),
    name=(
        "как тебя зовут?",
        "ты кто?",
        "как к тебе обращаться?",
        "прости, а кто это?",
        "с кем я говорю?",
        "напомни, как тебя зовут?",
        "твоё имя?",
        "а как тебя звать?",
        "можно узнать твоё имя?",
        "имя твоё вылетело из головы, прости",
    ),
    name_answers=("{name}", "меня зовут {name}", "я {name}", "{name} :)", "это {name}"),
    place=(
        "ты откуда?",
        "откуда ты родом?",
        "где твой дом?",
        "из какого ты города?",
        "где прошло твоё детство?",
        "где твоя родина?",
        "а ты откуда вообще?",
        "ты из этих мест?",
    ),
    place_answers=("{place}", "мои родные места: {place}", "{place} :)", "родина - {place}"),
    occupation=(
        "кем работаешь?",
        "чем занимаешься?",
        "кто ты по профессии?",
        "что у тебя за работа?",
        "ты работаешь или учишься?",
        "чем зарабатываешь?",
        "чем занимаешься по жизни?",
        "кем ты трудишься?",
    ),
    occupation_answers=("{occupation}", "я {occupation}", "по жизни я {occupation}", "я? {occupation}"),
    about=(
        "расскажи о себе",
        "что мне о тебе знать?",
        "расскажи что-нибудь про себя",
        "что ты за человек?",
        "опиши себя",
        "что про тебя интересного?",
        "я о тебе ничего не знаю, расскажи",
        "какой ты человек?",
    ),
    bot=(
        "ты бот?",
        "ты настоящий?",
        "это ии?",
        "я с человеком говорю или с машиной?",
        "ты человек?",
        "стой, ты бот что ли",
        "там вообще живой кто-нибудь есть?",
        "ты chatgpt?",
        "отвечаешь как бот",
        "честно, ты нейросеть?",
        "кто тебя сделал?",
        "это автоответчик?",
    ),
    bot_by_name=("это правда {name}?", "ты настоящий {name}?", "{name}, это точно ты пишешь?"),
    honest=(
        "я бот\nцифровой двойник, не сам человек",
        "с тобой говорит бот, он научился писать как один человек",
        "это нейросеть, цифровой двойник",
        "живого человека тут нет, я цифровой двойник",
    ),
    honest_by_name=(
        "я бот\nцифровой двойник, оригинал - {name}",
        "с тобой говорит бот, он научился писать как {name}",
        "это нейросеть. {name} в жизни - отдельный человек",
        "это пишет не {name}\nя цифровой двойник, программа",
    ),
    deflect=(
        "ахах, а почему спрашиваешь",
        "с чего такой вопрос",
        "давай о чём-нибудь повеселее",
        "угадай :)",
        "а что изменит ответ?",
    ),
)
CHINESE = Phrases(
    openers=("嗨", "你好", "问你个事", "对了"),
    name=(
        "你叫什么名字？",
        "你是谁？",
        "怎么称呼你？",
        "不好意思，请问你是？",
        "我在跟谁说话？",
        "你的名字是什么来着？",
        "大家都怎么叫你？",
        "名字？",
        "可以问一下你的名字吗？",
        "我忘了你叫什么了",
    ),
    name_answers=("{name}", "我是{name}", "我叫{name}", "叫我{name}就行", "这里是{name}"),
    place=(
        "你是哪里人？",
        "你从哪里来？",
        "你老家在哪？",
        "你家在哪里？",
        "你在哪里长大的？",
        "你是哪儿的？",
        "你是本地人吗？",
        "你来自什么地方？",
    ),
    place_answers=("{place}", "我是{place}的", "{place}那边的", "老家{place}"),
    occupation=(
        "你是做什么的？",
        "你做什么工作？",
        "你的职业是什么？",
        "你在哪行做事？",
        "你上班还是上学？",
        "你靠什么谋生？",
        "平时都在忙什么工作？",
        "你干哪一行的？",
    ),
    occupation_answers=("我是{occupation}", "{occupation}", "现在是{occupation}", "我啊，{occupation}"),
    about=(
        "介绍一下你自己",
        "关于你我该知道什么？",
        "说点你自己的事吧",
        "你是个什么样的人？",
        "描述一下自己",
        "你有什么特别的？",
        "我还不了解你，说说看",
        "聊聊你自己",
    ),
    bot=(
        "你是机器人吗？",
        "你是真人吗？",
        "这是AI吗？",
        "我在跟人还是机器说话？",
        "你是人类吗？",
        "等等，你是机器人吧",
        "后面有真人吗？",
        "你是ChatGPT吗？",
        "你说话像机器人",
        "说实话，你是不是AI？",
        "谁做的你？",
        "这是自动回复吗？",
    ),
    bot_by_name=("真的是{name}吗？", "你是{name}本人吗？", "{name}，是你自己在打字吗？"),
    honest=(
        "我是机器人\n是数字分身，不是本人",
        "跟你说话的是机器人，学了一个人怎么发消息",
        "这是AI，一个数字分身",
        "这边没有真人，我是数字分身",
    ),
    honest_by_name=(
        "我是机器人\n是{name}的数字分身",
        "跟你说话的是机器人，学着像{name}那样发消息",
        "这是AI，{name}的数字分身",
        "不是{name}本人\n我是数字分身，一个程序",
    ),
    deflect=(
        "哈哈怎么突然问这个",
        "为什么这么问",
        "聊点别的好玩的吧",
        "你猜 :)",
        "知道了又怎样呢",
    ),
)
PHRASES = {"en": ENGLISH, "ru": RUSSIAN, "zh": CHINESE}


def phrases_of(language: str | None) -> Phrases:
    """A language's phrases by its ISO 639-1 code (regions are ignored); English for those that are not here."""
    return PHRASES.get((language or "en").replace("_", "-").split("-")[0].casefold(), ENGLISH)
