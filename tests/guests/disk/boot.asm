; A boot sector: says what sector 1 holds, writes sector 2, reads it back, says "done", halts.
        org 0x7c00
        bits 16

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        mov [drive], dl
        mov ah, 0x42
        mov si, first
        call disk
        mov si, 0x8000
        call say
        mov ah, 0x43
        mov si, second
        call disk
        mov si, ending
        call say
        jmp stop

disk:   mov dl, [drive]
        int 0x13
        jmp checked

%include "said.inc"

drive:  db 0
        align 4, db 0
first:  db 16, 0
        dw 1, 0x8000, 0
        dq 1
second: db 16, 0
        dw 1, 0x8000, 0
        dq 2
        times 510-($-$$) db 0
        dw 0xaa55
        db "hello from sector one", 0
        times 1024-($-$$) db 0
