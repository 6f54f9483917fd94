"""Chat templates as instruct models have them, written anew from what their makers document, and a tokenizer for each.

Each does what its family's does: Llama 3.1 always tells dates, Qwen 2.5 introduces itself, Qwen 3 can think, Gemma and
Mistral fold a system text into a question and demand that roles alternate, Phi's tokens differ from version to version.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer

from tests.tiny import make_tokenizer

_ALTERNATE = (
    "{%- for message in messages %}{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{%- endif %}{%- endfor %}"
)
_SYSTEM_ASIDE = (
    "{%- set system = '' %}{%- if messages[0]['role'] == 'system' %}"
    "{%- set system = messages[0]['content'] + '\\n\\n' %}{%- set messages = messages[1:] %}{%- endif %}"
)


@dataclass(frozen=True)
class Chat:
    """A family's template and its special tokens; the last token ends a turn, the first starts a text."""

    template: str
    special: tuple[str, ...]
    plain: tuple[str, ...] = ()
    takes_system: bool = True
    bos: bool = True


CHATS = {
    "llama-3.1": Chat(
        "{{- bos_token }}{%- if not date_string is defined %}"
        "{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}"
        "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] | trim %}"
        "{%- set messages = messages[1:] %}{%- else %}{%- set system = '' %}{%- endif %}"
        "{{- '<|start_header_id|>system<|end_header_id|>\\n\\nCutting Knowledge Date: December 2023\\n'"
        " + 'Today Date: ' + date_string + '\\n\\n' + system + '<|eot_id|>' }}"
        "{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
        " + message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}",
        ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    ),
    "llama-2": Chat(
        _SYSTEM_ASIDE + _ALTERNATE + "{%- for message in messages %}{%- if message['role'] == 'user' %}"
        "{%- if loop.index0 == 0 and system %}{%- set content = '<<SYS>>\\n' + system + '<</SYS>>\\n\\n'"
        " + message['content'] %}{%- else %}{%- set content = message['content'] %}{%- endif %}"
        "{{- bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
        "{%- else %}{{- ' ' + message['content'].strip() + ' ' + eos_token }}{%- endif %}{%- endfor %}",
        ("<s>", "</s>"),
        takes_system=False,
    ),
    "mistral-0.3": Chat(
        _SYSTEM_ASIDE + _ALTERNATE + "{{- bos_token }}{%- for message in messages %}"
        "{%- if message['role'] == 'user' %}"
        "{%- if loop.last %}{{- '[INST] ' + system + message['content'] + '[/INST]' }}"
        "{%- else %}{{- '[INST] ' + message['content'] + '[/INST]' }}{%- endif %}"
        "{%- else %}{{- ' ' + message['content'] | trim + eos_token }}{%- endif %}{%- endfor %}",
        ("<s>", "[INST]", "[/INST]", "</s>"),
        takes_system=False,
    ),
    "qwen-2.5": Chat(
        "{%- if messages[0]['role'] == 'system' %}"
        "{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}"
        "{%- else %}{{- '<|im_start|>system\\n' }}"
        "{{- 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}"
        "{%- endif %}{%- for message in messages %}"
        "{%- if message['role'] == 'user' or (message['role'] == 'system' and not loop.first)"
        " or message['role'] == 'assistant' %}"
        "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{%- endif %}"
        "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}",
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        bos=False,
    ),
    "qwen-3": Chat(
        "{%- if messages[0]['role'] == 'system' %}"
        "{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}{%- endif %}"
        "{%- set ns = namespace(last=-1) %}{%- for message in messages %}{%- if message['role'] == 'user' %}"
        "{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}"
        "{%- for message in messages %}{%- set content = message['content'] %}"
        "{%- if message['role'] == 'user' or (message['role'] == 'system' and not loop.first) %}"
        "{{- '<|im_start|>' + message['role'] + '\\n' + content + '<|im_end|>' + '\\n' }}"
        "{%- elif message['role'] == 'assistant' %}{%- if '</think>' in content %}"
        "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}"
        "{%- if loop.index0 > ns.last and loop.last %}"
        "{{- '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' + content }}{%- else %}"
        "{{- '<|im_start|>assistant\\n' + content }}{%- endif %}{{- '<|im_end|>\\n' }}{%- endif %}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
        "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}"
        "{%- endif %}{%- endif %}",
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        ("<think>", "</think>"),
        bos=False,
    ),
    "gemma-3": Chat(
        "{{- bos_token }}" + _SYSTEM_ASIDE + _ALTERNATE + "{%- for message in messages %}"
        "{{- '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\\n'"
        " + (system if loop.first else '') + message['content'] | trim + '<end_of_turn>\\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{%- endif %}",
        ("<bos>", "<start_of_turn>", "<end_of_turn>"),
        takes_system=False,
    ),
    "phi-3": Chat(
        "{%- for message in messages %}{{- '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}"
        "{%- endfor %}{%- if add_generation_prompt %}{{- '<|assistant|>\\n' }}{%- else %}{{- eos_token }}{%- endif %}",
        ("<s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    ),
    "phi-4": Chat(
        "{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '<|im_sep|>' + message['content']"
        " + '<|im_end|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant<|im_sep|>' }}{%- endif %}",
        ("<|endoftext|>", "<|im_start|>", "<|im_sep|>", "<|im_end|>"),
    ),
}


def chat_tokenizer(folder: Path, name: str) -> Path:
    """The tiny tokenizer with a family's special tokens and chat template, saved; returns the folder."""
    chat = CHATS[name]
    make_tokenizer(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    special = {"eos_token": chat.special[-1], "additional_special_tokens": list(chat.special)}
    tokenizer.add_special_tokens({**special, "bos_token": chat.special[0]} if chat.bos else special)
    if not chat.bos:
        tokenizer.bos_token = None
    tokenizer.add_tokens(list(chat.plain))
    tokenizer.chat_template = chat.template
    tokenizer.save_pretrained(folder)
    return folder
