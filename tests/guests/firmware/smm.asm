; Assemble with nasm -f bin. 64 KiB that end at 4 GiB, and at 1 MiB once more.

; A firmware that takes system management interrupts in every mode of the CPU, and tells at port
; 402h what its handler finds in the save area and what it finds itself afterwards.

bits 16
org 0xF0000
[warning -number-overflow]           ; labels that are cut to 16 bits on purpose
%define AT(label) ((label) - 0xF0000)
%define GDT_IN_RAM 0x22000

start:
    cli
    mov     eax, 0x80000B58         ; power management, DEVACTB: port B2h raises an SMI
    mov     edx, 0x02000000
    call    configure
    xor     ax, ax
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     esp, 0x7000
    mov     esi, handler
    mov     edi, 0x38000
    mov     ecx, handler_end - handler
    call    copy
    mov     dword [6 * 4], 0xF0000000 + AT(invalid)
    mov     esi, gdt
    mov     edi, GDT_IN_RAM         ; whoever loads TR writes there
    mov     ecx, gdt_end - gdt
    call    copy
    lgdt    [cs:AT(gdt_pointer)]
    lidt    [cs:AT(real_idt)]

    ; 1: real mode, with marks in what there is
    mov     al, 'R'
    call    tell
    mov     ax, 0x1234
    mov     es, ax
    mov     ax, 0x4321
    mov     fs, ax
    mov     ax, 0xFEDC
    mov     gs, ax
    mov     eax, 0x00000400
    mov     dr7, eax
    call    marks
    stc
    std
    out     0xB2, al
    jmp     $ + 2
    call    tell_registers
    cld

    ; 2: two in one: the second, out of the handler, is taken after RSM
    mov     al, 'N'
    call    tell
    mov     byte [0x500], 1
    xor     ebx, ebx
    out     0xB2, al
    jmp     $ + 2
    call    tell_registers

    ; 3: RSM outside is no instruction
    mov     al, 'U'
    call    tell
    rsm
    jmp     $ + 2

    ; 4: protected mode, with LDT and task
    mov     eax, cr0
    or      al, 1
    mov     cr0, eax
    jmp     dword 8:protected

configure:                          ; EAX register, EDX value
    push    dx
    mov     dx, 0xCF8
    out     dx, eax
    pop     dx
    mov     eax, edx
    mov     dx, 0xCFC
    out     dx, eax
    ret

copy:                               ; ESI from, EDI to, ECX bytes
.next:
    mov     al, [cs:esi - 0xF0000]
    mov     [es:edi], al
    inc     esi
    inc     edi
    dec     ecx
    jnz     .next
    ret

marks:
    mov     eax, 0x11111111
    mov     ebx, 0x22222222
    mov     ecx, 0x33333333
    mov     edx, 0x44444444
    mov     esi, 0x55555555
    mov     edi, 0x66666666
    mov     ebp, 0x77777777
    ret

tell:
    mov     dx, 0x402
    out     dx, al
    ret

tell_registers:
    pushfd
    pushad
    mov     ebp, esp
    mov     ecx, 36
    mov     dx, 0x402
.next:
    mov     al, [ss:ebp]
    out     dx, al
    inc     ebp
    dec     ecx
    jnz     .next
    popad
    popfd
    ret

invalid:
    push    ax
    push    dx
    push    bp
    mov     al, '!'
    mov     dx, 0x402
    out     dx, al
    mov     bp, sp
    add     word [bp + 6], 2
    pop     bp
    pop     dx
    pop     ax
    iret

bits 32
protected:
    mov     ax, 16
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     ax, 40 | 3              ; what another level may keep
    mov     fs, ax
    mov     gs, ax
    mov     ax, 24
    lldt    ax
    mov     ax, 32
    ltr     ax
    lidt    [wide_idt]
    mov     eax, cr4
    or      al, 0x10                ; PSE
    mov     cr4, eax
    mov     al, 'P'
    call    smi32

    ; 5: the same with paging: 4 MiB pages, the second one shows the first once more
    mov     edi, 0x10000
    mov     ecx, 1024
    xor     eax, eax
    rep     stosd
    mov     dword [0x10000], 0x87
    mov     dword [0x10004], 0x87
    mov     eax, 0x10000
    mov     cr3, eax
    mov     eax, cr0
    or      eax, 0x80000000
    mov     cr0, eax
    lea     eax, [.high + 0x400000]
    jmp     eax
.high:
    mov     al, 'G'
    call    smi32

    ; 6: another level, which may do I/O
    pushfd
    or      dword [esp], 0x3000
    popfd
    mov     dword [0x20004], 0x7000 ; ESP0 of the task
    mov     dword [0x20008], 16
    push    dword 40 | 3
    push    dword 0x6800
    pushfd
    push    dword 48 | 3
    push    dword .outer
    iret
.outer:
    mov     ax, 40 | 3
    mov     ds, ax
    mov     es, ax
    mov     al, '3'
    call    smi32
    mov     al, '#'                 ; back: by the only gate that there is
    int     0x30

inner:
    mov     ax, 16
    mov     ds, ax
    mov     es, ax
    ; 7: long mode
    mov     eax, .low
    jmp     eax
.low:
    mov     eax, cr0
    and     eax, 0x7FFFFFFF
    mov     cr0, eax
    mov     edi, 0x11000
    mov     ecx, 0xC00
    xor     eax, eax
    rep     stosd
    mov     dword [0x11000], 0x12003
    mov     dword [0x12000], 0x13003
    mov     dword [0x13000], 0x83
    mov     eax, 0x11000
    mov     cr3, eax
    mov     eax, cr4
    or      al, 0x20
    mov     cr4, eax
    mov     ecx, 0xC0000080
    rdmsr
    or      ah, 1
    wrmsr
    mov     eax, cr0
    or      eax, 0x80000000
    mov     cr0, eax
    jmp     56:wide_mode

smi32:                              ; AL a letter
    mov     edx, 0x402
    out     dx, al
    mov     eax, 0x11111111
    mov     ebx, 0x22222222
    mov     ecx, 0x33333333
    mov     esi, 0x55555555
    mov     edi, 0x66666666
    mov     ebp, 0x77777777
    mov     edx, 0x44444444
    stc
    out     0xB2, al
    jmp     $ + 2
    pushfd
    pushad
    mov     ebp, esp
    mov     ecx, 36
    mov     edx, 0x402
.next:
    mov     al, [ebp]
    out     dx, al
    inc     ebp
    loop    .next
    popad
    popfd
    ret

bits 64
wide_mode:
    mov     rsp, 0x7000
    mov     edx, 0x402
    mov     al, 'L'
    out     dx, al
    mov     rax, 0x1111111122222222
    mov     rbx, 0x3333333344444444
    mov     r8, 0x5555555566666666
    mov     r15, 0x7777777788888888
    out     0xB2, al
    jmp     $ + 2
    push    r15
    push    r8
    push    rbx
    push    rax
    mov     rbp, rsp
    mov     ecx, 32
.next:
    mov     al, [rbp]
    out     dx, al
    inc     rbp
    loop    .next

    ; 8: SMBASE moves into SMRAM, and that is closed
    mov     al, 'S'
    out     dx, al
    mov     eax, 0x80000070         ; host bridge, 72h: open
    mov     dx, 0xCF8
    out     dx, eax
    mov     dx, 0xCFE
    mov     al, 0x4A
    out     dx, al
    mov     esi, handler
    mov     edi, 0xA8000
    mov     ecx, handler_end - handler
    rep     movsb
    mov     byte [0xA8700], 'H'
    mov     dx, 0xCFE
    mov     al, 0x0A
    out     dx, al
    mov     byte [0x501], 1         ; move SMBASE
    out     0xB2, al
    jmp     $ + 2
    mov     ebx, 0xABCDEF
    out     0xB2, al
    jmp     $ + 2
    mov     edx, 0x402
    mov     ecx, 3
    mov     eax, ebx
.byte:
    out     dx, al
    shr     eax, 8
    loop    .byte
    mov     al, 'E'
    out     dx, al
    cli
.halt:
    hlt
    jmp     .halt

bits 16
handler:                            ; tells the save area, changes RBX, and may do more
    mov     dx, 0x402
    mov     al, '<'
    out     dx, al
    mov     ecx, 0x200
    mov     esi, 0xFE00
.next:
    mov     al, [cs:esi]
    out     dx, al
    inc     esi
    dec     ecx
    jnz     .next
    mov     al, [cs:0x8700]         ; there is something in SMRAM alone
    out     dx, al
    inc     dword [cs:0xFFE0]       ; RBX
    mov     eax, cr0
    out     dx, al
    mov     eax, cr4
    out     dx, al
    pushfd
    pop     eax
    out     dx, al
    mov     al, ah
    out     dx, al
    cmp     byte [ds:0x500], 0
    je      .one
    mov     byte [ds:0x500], 0
    out     0xB2, al
    jmp     $ + 2
    mov     dx, 0x402
    mov     al, '2'
    out     dx, al
.one:
    cmp     byte [ds:0x501], 0
    je      .stay
    mov     byte [ds:0x501], 0
    mov     dword [cs:0xFF00], 0xA0000
.stay:
    mov     al, '>'
    out     dx, al
    rsm
handler_end:

align 8
gdt:
    dq      0
    dq      0x00CF9B000000FFFF      ; 08h code
    dq      0x00CF93000000FFFF      ; 10h data
    dq      0x000082021000000F      ; 18h LDT at 21000h
    dq      0x0000890200000067      ; 20h task at 20000h
    dq      0x00CFF3000000FFFF      ; 28h data, level 3
    dq      0x00CFFB000000FFFF      ; 30h code, level 3
    dq      0x00AF9B000000FFFF      ; 38h code, 64 bits
gdt_end:

idt_gate:                           ; INT 30h
    dw      AT(inner)
    dw      8
    dw      0xEE00
    dw      0x000F
gdt_pointer:
    dw      gdt_end - gdt - 1
    dd      GDT_IN_RAM
real_idt:
    dw      0x3FF
    dd      0
wide_idt:
    dw      0x30 * 8 + 7
    dd      idt_gate - 0x30 * 8

    times   0xFFF0 - ($ - $$) db 0
    jmp     0xF000:AT(start)
    times   0x10000 - ($ - $$) db 0
